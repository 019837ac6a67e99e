"""task=prepare: copies of the videos that are cheap to read at random places."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from vjepa_pipe.config.errors import UserError, counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.task import PrepareTaskConfig
from vjepa_pipe.datasets import annotation_files
from vjepa_pipe.files.whole_file import make_folder
from vjepa_pipe.loader import DataManager
from vjepa_pipe.sources import Rows
from vjepa_pipe.tasks.index_parts import own_names, write_annotations
from vjepa_pipe.tasks.killable import map_killable
from vjepa_pipe.tasks.plain_videos import plain_videos
from vjepa_pipe.video import PyavDecoder, VideoError

CHUNK = 64  # frames held at a time
TIMEOUT = 3600.0
COMPARED = 8  # files whose reading is timed before and after


def prepare(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Encode every video once without B-frames, verify the copy, and write `NAME.csv` with the copies' paths.

    A copy has the frames of its original, upright, at the average rate, without sound. Copies that exist are kept, so
    an interrupted run goes on; a copy appears under its name only when it is whole and verified.

    Returns:
        `files`, `bad`, `size_ratio` (bytes of the copies to those of the originals) and `speed_ratio` (how many times
        faster clips are read).

    Raises:
        ConfigError: If two sources have one name.
        UserError: If a result would be written over the list that it is of, or into the folder that it is of.
    """
    task, console = experiment.task, Console(stderr=True)
    assert isinstance(task, PrepareTaskConfig)
    target = Path(task.target_dir or output_dir).resolve()
    dataset = plain_videos(DataManager(experiment, rank=0, world_size=1))
    lists = annotation_files(experiment.data)
    own_names(dataset.sources, lists, target, "task.target_dir")
    if within := [source for source in lists if target.is_relative_to(source)]:
        raise UserError(f"task.target_dir={target} lies in {within[0]}, which would then hold the copies too")
    before = after = bad = files = 0
    pairs: list[tuple[str, str]] = []
    for rows in dataset.sources:
        folder = target / rows.name
        make_folder(folder)
        copies = {path: str(folder / _name(path, task)) for path in dict.fromkeys(map(rows.path, range(len(rows))))}
        missing = [(path, copy) for path, copy in copies.items() if not Path(copy).exists()]
        outcomes = map_killable(partial(encode, task=task), missing, task.workers, TIMEOUT)
        for outcome in track(outcomes, escape(rows.name), total=len(missing), console=console):
            if outcome.error:
                console.print(f"bad: {outcome.error}", markup=False, highlight=False, soft_wrap=True)
        done = {path: copy for path, copy in copies.items() if Path(copy).exists()}
        write_annotations(target / f"{rows.name}.csv", _annotations(rows, done))
        files, bad = files + len(done), bad + len(copies) - len(done)
        before += sum(Path(path).stat().st_size for path in done)
        after += sum(Path(copy).stat().st_size for copy in done.values())
        pairs += done.items()
    draw = dataset.clip_samplers[0].draw
    times = np.array([[_seconds(path, draw) for path in pair] for pair in pairs[:COMPARED]])
    speed = float(times[:, 0].sum() / times[:, 1].sum()) if pairs else 1.0
    console.print(
        f"{counted(files, 'copy', 'copies')}, {bad} bad; {after / max(before, 1):.2f} times the size, "
        f"read {speed:.1f} times as fast; train with data.data_paths=[{target}/NAME.csv]",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return {"files": files, "bad": bad, "size_ratio": round(after / max(before, 1), 3), "speed_ratio": round(speed, 2)}


def encode(paths: tuple[str, str], task: PrepareTaskConfig) -> None:
    """Encode one video and verify its copy frame by frame.

    Raises:
        VideoError: If the original cannot be read, or the copy does not hold its frames.
    """
    source, target = paths
    unfinished = Path(target).with_suffix(".part.mp4")
    with PyavDecoder().open(source) as video:
        width, height = _size(video.width, video.height, task.short_side)
        frames = video.num_frames
        with av.open(str(unfinished), "w", options={"movflags": "faststart"}) as container:
            encoder, pix_fmt, options = _encoder(task)
            stream = container.add_stream(encoder, rate=Fraction(video.fps).limit_denominator(1001))
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt, stream.options = width, height, pix_fmt, options
            stream.codec_context.thread_count = 1
            for first in range(0, frames, CHUNK):
                for image in video.read(range(first, min(first + CHUNK, frames))):
                    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                    container.mux(stream.encode(picture.reformat(width=width, height=height, format=pix_fmt)))
            container.mux(stream.encode(None))
    with PyavDecoder().open(str(unfinished)) as copy:
        if copy.num_frames != frames:
            raise VideoError(source, f"its copy has {counted(copy.num_frames, 'frame')} instead of {frames}")
        for first in range(0, frames, CHUNK):
            copy.read(range(first, min(first + CHUNK, frames)))
    unfinished.rename(target)


def _encoder(task: PrepareTaskConfig) -> tuple[str, str, dict[str, str]]:
    """FFmpeg's encoder, pixel format and options."""
    if task.codec == "mjpeg":
        return "mjpeg", "yuvj420p", {"qmin": str(task.qscale), "qmax": str(task.qscale)}
    options = {"preset": task.preset, "crf": str(task.crf), "g": str(task.group_length)}
    return "libx264", "yuv420p", options | {"bf": "0", "tune": "fastdecode"}


def _name(path: str, task: PrepareTaskConfig) -> str:
    """A name that tells the original and the settings, so that other settings make other copies."""
    settings = f"mjpeg{task.qscale}" if task.codec == "mjpeg" else f"g{task.group_length}_crf{task.crf}"
    stem = "".join(sign if sign.isprintable() else "_" for sign in Path(path).stem)
    return f"{stem}_{sha256(os.fsencode(path)).hexdigest()[:8]}_{task.short_side}p_{settings}.mp4"


def _size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height of the copy: even numbers, as 4:2:0 needs."""
    scale = min(1.0, short_side / min(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _annotations(rows: Rows, copies: dict[str, str]) -> Iterator[tuple[str, int | str]]:
    for row in range(len(rows)):
        if rows.path(row) in copies:
            yield copies[rows.path(row)], rows.label(row)


def _seconds(path: str, draw: Any) -> float:
    started = time.process_time()
    with PyavDecoder().open(path) as video:
        video.read(np.concatenate(draw(np.random.default_rng(0), video.num_frames, video.fps)))
    return time.process_time() - started
