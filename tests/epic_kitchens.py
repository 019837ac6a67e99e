"""EPIC-KITCHENS for the tests: two kitchens, each with a video of counter frames and some actions in it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from footage import write_video

HEADER = (
    "narration_id", "participant_id", "video_id", "start_frame", "stop_frame", "verb", "verb_class", "noun_class",
    "all_nouns",
)  # fmt: skip
Row = tuple[str, int, int, int, int]  # video, first and last frame, verb, noun

VIDEOS = {"P01_01": (120, Fraction(24)), "P02_103": (90, Fraction(30))}  # frames, and how many a second
TRAIN: list[Row] = [
    ("P01_01", 60, 80, 5, 70), ("P01_01", 20, 40, 3, 9), ("P02_103", 50, 70, 5, 9), ("P02_103", 2, 30, 3, 70),
    ("P01_01", 90, 119, 5, 70), ("P02_103", 60, 89, 3, 9),
]  # fmt: skip
VAL: list[Row] = [("P02_103", 40, 60, 3, 9), ("P01_01", 70, 90, 3, 3), ("P01_01", 50, 95, 5, 70)]


def write_actions(path: Path, rows: Sequence[Row]) -> Path:
    """An annotation file, with columns that nobody reads."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for i, (video, first, last, verb, noun) in enumerate(rows):
            writer.writerow([
                f"{video}_{i}", video[:3], video, first, last, "take, put", verb, noun, "['a cup', 'a plate']",
            ])  # fmt: skip
    return path


def write_epic_kitchens(root: Path) -> Path:
    """`train.csv`, `val.csv` and the videos in the layout of the download; gives the root."""
    for video, (frames, fps) in VIDEOS.items():
        folder = root / video[:3] / "videos"
        folder.mkdir(parents=True)
        write_video(folder / f"{video}.mp4", frames, fps=fps).rename(folder / f"{video}.MP4")
    write_actions(root / "train.csv", TRAIN)
    write_actions(root / "val.csv", VAL)
    return root
