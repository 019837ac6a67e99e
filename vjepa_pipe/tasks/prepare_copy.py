"""One copy of `task=prepare`: a video encoded anew, with the frames, their times and the rate of its original."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from hashlib import sha256
from itertools import pairwise
from math import gcd, lcm
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import SampleError, UserError, counted
from vjepa_pipe.config.task import PrepareTaskConfig
from vjepa_pipe.datasets.limits import check_file, check_size
from vjepa_pipe.files.whole_file import draft_of, replacing
from vjepa_pipe.sources.media import is_image
from vjepa_pipe.sources.probed.index_file import stamp
from vjepa_pipe.storage import ObjectError, RemoteFile, Storage, is_remote, shown_path
from vjepa_pipe.video import PyavDecoder, VideoError, VideoReader, as_video_error, probe
from vjepa_pipe.video.opening import open_video

HELD_BYTES = 1 << 29
"""Of decoded frames held at a time."""

FINEST = 10**7
"""Ticks per second, unless the original has more: a gap between two frames must fit the tables of an MP4 file."""

FETCHED_BYTES = 1 << 20
"""Of an original at a URL asked for at a time."""

NAME_BYTES = 100
"""Of the original's name in that of its copy."""


class Encoding(NamedTuple):
    """How copies are encoded.

    Attributes:
        encoder: FFmpeg's name of it.
        pix_fmt: FFmpeg's name of the pixel format.
        options: The encoder's.
    """

    encoder: str
    pix_fmt: str
    options: dict[str, str]


class Copy(NamedTuple):
    """A copy that was verified.

    Attributes:
        copy: The file's name.
        frames: Its frames.
        fps: Its average frames per second.
        original_fps: The same of the original, by which its clips are drawn.
        original_bytes: Size of the original.
        copy_bytes: Size of the copy.
        seconds: Time that making it took.
        stamp: By which it is known whether the original is still the same; see `sources.probed.index_file.stamp`.
    """

    copy: str
    frames: int
    fps: float
    original_fps: float
    original_bytes: int
    copy_bytes: int
    seconds: float
    stamp: list[int]


def encoding_of(task: PrepareTaskConfig) -> Encoding:
    """The encoding that a task asks for."""
    if task.codec == "mjpeg":
        return Encoding("mjpeg", "yuvj420p", {"qmin": str(task.qscale), "qmax": str(task.qscale)})
    options = {"preset": task.preset, "crf": str(task.crf), "g": str(task.group_length), "bf": "0"}
    return Encoding("libx264", "yuv420p", options | {"tune": "fastdecode"})


def copy_name(source: str, task: PrepareTaskConfig) -> str:
    """A file name that tells the original and the settings, so that other settings make other copies."""
    settings = f"mjpeg{task.qscale}" if task.codec == "mjpeg" else f"g{task.group_length}_crf{task.crf}"
    stem = "".join(sign if sign.isprintable() and sign not in ' :"' else "_" for sign in Path(source).stem)
    stem = stem.encode()[:NAME_BYTES].decode(errors="ignore")
    return f"{stem}_{sha256(os.fsencode(source)).hexdigest()[:16]}_{task.short_side}p_{settings}.mp4"


def make_copy(
    source: str,
    folder: Path,
    task: PrepareTaskConfig,
    max_file_bytes: int | None = None,
    storage: Storage | None = None,
) -> Copy:
    """Encode one video and verify its copy, which appears under its name only then.

    An original at a URL is fetched once, whole, and lies beside its copy until that is made.

    Args:
        source: The original, or its URL.
        folder: Where the copy goes.
        task: How it is encoded.
        max_file_bytes: Larger originals are bad.
        storage: Reads what lies at a URL; unset: with the default settings.

    Raises:
        VideoError: If the original cannot be read, or the copy does not hold its frames at their times.
        StorageError: If the store of a URL does not answer.
        UserError: If the copy cannot be written.
    """
    started, target = time.perf_counter(), folder / copy_name(source, task)
    if not is_remote(source):
        check_file(source, max_file_bytes)
        _check_kind(source)
        return _copied(source, target, task, stamp(source), started)
    name = shown_path(source)
    _check_kind(name)
    with as_video_error(name):
        original = (storage or Storage()).open(source)
    check_size(name, original.facts.size, max_file_bytes)
    try:
        with _fetched(original, target) as file:
            return _copied(file, target, task, original.facts.stamp, started)
    except VideoError as error:
        raise VideoError(name, error.reason) from None


def _check_kind(source: str) -> None:
    if is_image(source):
        raise VideoError(source, "an image, and copies are made of videos")


@contextmanager
def _fetched(original: RemoteFile, copy: Path) -> Iterator[str]:
    """The path of an object's content, beside its copy; it is removed when the block ends."""
    draft = draft_of(copy)
    try:
        try:
            with original.stream() as stream, draft.open("wb") as written:
                shutil.copyfileobj(stream, written, FETCHED_BYTES)
        except ObjectError as error:
            raise VideoError(str(original), error.reason) from None
        except OSError as error:
            raise UserError(f"cannot write {draft}: {error.strerror or error}") from error
        yield str(draft)
    finally:
        draft.unlink(missing_ok=True)


def _copied(source: str, target: Path, task: PrepareTaskConfig, stamp: list[int], started: float) -> Copy:
    try:
        with replacing(target) as draft:
            frames, original_fps = encode(source, draft, encoding_of(task), task.short_side)
    except UserError as error:
        # Another run of the same shard was first, and has ended: it has cleared what was left over.
        first = isinstance(error.__cause__, FileNotFoundError) and target.exists()
        if isinstance(error, SampleError) or not first:
            raise
        frames, original_fps = _length(source)
    fps = _length(str(target))[1]
    spent = round(time.perf_counter() - started, 3)
    return Copy(target.name, frames, fps, original_fps, stamp[0], target.stat().st_size, spent, stamp)


def encode(source: str, target: Path, encoding: Encoding, short_side: int) -> tuple[int, float]:
    """Encode one video and verify what was written, whatever `target` is called; give its frames and their rate.

    Raises:
        VideoError: As `make_copy`.
        OSError: If it cannot be written.
    """
    with PyavDecoder().open(source) as video:
        width, height = _size(video.width, video.height, short_side)
        count, fps = video.num_frames, video.fps
        ticks, per_second = _timetable(source, video)
        options = {"movflags": "faststart", "video_track_timescale": str(per_second)}
        with av.open(str(target), "w", format="mp4", options=options) as container:
            stream = container.add_stream(encoding.encoder, rate=Fraction(fps).limit_denominator(1001))
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, encoding.pix_fmt
            stream.options, stream.codec_context.time_base = dict(encoding.options), Fraction(1, per_second)
            stream.codec_context.thread_count = 1
            lasting = dict(zip(ticks[:-1].tolist(), np.diff(ticks).tolist(), strict=True))

            def write(picture: av.VideoFrame | None) -> None:
                for packet in stream.encode(picture):
                    assert packet.pts is not None
                    packet.duration = lasting[packet.pts]
                    container.mux(packet)

            for number, image in enumerate(_images(source, video)):
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                picture = picture.reformat(width=width, height=height, format=encoding.pix_fmt, threads=1)
                picture.pts, picture.time_base = int(ticks[number]), Fraction(1, per_second)
                write(picture)
            write(None)
        _verify(source, str(target), (ticks[:-1] - ticks[0]) / per_second)
    return count, fps


def _timetable(source: str, video: VideoReader) -> tuple[NDArray[np.int64], int]:
    """When each frame is shown and when the last one goes, int64 [frames + 1], in units of which a second has so many.

    The unit divides that of the original, and the last frame stays until the average rate is that of the original: it
    is what clips are drawn by. Where its times leave no room for that, because its header declares another rate, the
    last frame stays for as long as frames do on average.
    """
    container, stream = open_video(source)
    with container:
        unit, declared = stream.time_base or Fraction(1, 1000), stream.average_rate
    exact = declared is not None and float(declared) == video.fps
    rate = Fraction(declared) if exact and declared is not None else Fraction(video.fps).limit_denominator(10**6)
    count = video.num_frames
    per_second = lcm(unit.denominator, rate.numerator // gcd(rate.numerator, count))
    if per_second > max(FINEST, unit.denominator):
        per_second = unit.denominator
    times = video.frame_times
    ticks = np.round((times - times[0]) * per_second).astype(np.int64)
    if np.diff(ticks).min(initial=1) <= 0:
        raise VideoError(source, "shows two frames at the same time")
    end = round(count * per_second / rate)
    if end <= ticks[-1]:
        end = int(ticks[-1]) + max(1, round(ticks[-1] / max(count - 1, 1)))
    return np.append(ticks, end), per_second


def _images(source: str, video: VideoReader) -> Iterator[NDArray[np.uint8]]:
    """All frames in order, RGB uint8 [H, W, 3]; reads begin at key frames, so that no frame is decoded twice.

    Where a group is larger than what is held at a time, some are.
    """
    most = max(1, HELD_BYTES // (3 * video.width * video.height))
    starts = [0]
    for key, following in pairwise([*probe(source).key_frames, video.num_frames]):
        if following - starts[-1] > most and key > starts[-1]:
            starts.append(key)
        while following - starts[-1] > most:
            starts.append(starts[-1] + most)
    for first, last in pairwise([*starts, video.num_frames]):
        yield from video.read(range(first, last))


def _verify(source: str, copy: str, shown_at: NDArray[np.float64]) -> None:
    """Decode a copy whole, and compare what it holds with the times at which its frames must be shown."""
    with PyavDecoder().open(copy) as video:
        if video.num_frames != len(shown_at):
            raise VideoError(source, f"its copy has {counted(video.num_frames, 'frame')} instead of {len(shown_at)}")
        apart = np.abs(video.frame_times - video.frame_times[0] - shown_at)
        if apart.max() > 1e-6:
            worst = int(apart.argmax())
            raise VideoError(source, f"its copy shows frame {worst} {apart[worst]:.6f} s off its time")
        for _ in _images(copy, video):
            pass


def _length(path: str) -> tuple[int, float]:
    with PyavDecoder().open(path) as video:
        return video.num_frames, video.fps


def _size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height of the copy: even numbers, as 4:2:0 needs."""
    scale = min(1.0, short_side / min(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
