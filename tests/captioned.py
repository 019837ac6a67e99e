"""Captioned data for the tests: WebVid on disk in both layouts, and a tokenizer of single characters."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from footage import write_video

Row = tuple[str, str]  # videoid, caption


def write_csv(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ("videoid", "name")) -> Path:
    """A CSV file with a header; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def partition(root: Path, name: str, rows: Sequence[Row], split: str = "train", dataset: str = "webvid-10M") -> Path:
    """A partition CSV in KempnerForge's layout."""
    return write_csv(root / "raw" / dataset / "data" / split / "partitions" / name, rows)


def video_path(root: Path, video: str) -> Path:
    """Where a training video stands in KempnerForge's layout; its folder is made."""
    folder = root / "raw" / "videos" / "train" / video[:2] / video[:4] / video[:6]
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{video}.mp4"


CLIPS = {"0071234": 20, "007": 3, "8469580": 60, "84490": 40}  # frames, at 10 per second
CAPTIONS = {"0071234": "a cat, walking", "007": "", "8469580": "NA", "84490": "12"}


def write_webvid(root: Path, missing: Sequence[str] = ()) -> Path:
    """Four videos at 10 fps with captions, and `missing` ids without a video; gives the root."""
    for video, frames in CLIPS.items():
        write_video(video_path(root, video), frames, fps=10)
    partition(root, "0000.csv", [*CAPTIONS.items(), *((video, "gone") for video in missing)])
    return root


class Letters:
    """A tokenizer of letters: a is 1, b is 2, ...; 27 pads and 28 ends a text."""

    pad_token_id: int | None = 27
    eos_token_id: int | None = 28

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [ord(letter) - ord("a") + 1 for letter in text]


def save_tokenizer(folder: Path) -> str:
    """A real transformers tokenizer in a folder, made here: one token for each printable character."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["[pad]", "[end]", *map(chr, range(32, 127))]
    model = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[pad]"))
    model.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    fast: Any = PreTrainedTokenizerFast(tokenizer_object=model, pad_token="[pad]", eos_token="[end]")
    fast.save_pretrained(str(folder))
    return str(folder)
