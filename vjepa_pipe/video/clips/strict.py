"""Clip windows with a true stride: the default convention."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import counted
from vjepa_pipe.video.errors import ClipTooShort

if TYPE_CHECKING:
    from vjepa_pipe.video.clips.sampler import ClipSampler


class Segment(NamedTuple):
    """The part of a video that one clip is taken from."""

    first: int
    length: int


def span(sampler: ClipSampler, fps: float) -> int:
    """Frames from the first to the last of a clip, both included."""
    return int(_offsets(sampler, fps)[-1]) + 1


def last_starts(sampler: ClipSampler, num_frames: int, fps: float) -> list[int]:
    """The last start, counted from the segment's own, from which each clip still fits; 0 where none does."""
    needed = span(sampler, fps)
    return [max(0, segment.length - needed) for segment in _segments(sampler, num_frames, needed)]


def clips(sampler: ClipSampler, num_frames: int, fps: float, starts: Sequence[int]) -> list[NDArray[np.int64]]:
    """The frame numbers of each clip, int64 [frames_per_clip].

    Raises:
        ClipTooShort: If a clip does not fit its segment and short videos are to be dropped.
    """
    needed = span(sampler, fps)
    return [
        segment.first + _fitted(sampler, start + _offsets(sampler, fps), segment.length, num_frames)
        for segment, start in zip(_segments(sampler, num_frames, needed), starts, strict=True)
    ]


def _offsets(sampler: ClipSampler, fps: float) -> NDArray[np.int64]:
    """Frames from the start of a clip to each of its frames: the frame on show at each moment of the clip.

    For example 30 fps at 4 fps: the stride is 7.5, the offsets 0, 7, 15, 22, 30, ...
    """
    stride: float
    match sampler.clip_mode:
        case "fps":
            stride = fps / sampler.target_fps
        case "duration":
            stride = sampler.clip_duration_sec * fps / sampler.frames_per_clip
        case _:
            stride = sampler.frame_step
    # A product that rounding leaves just below a whole number is that number.
    moments: NDArray[np.float64] = np.arange(sampler.frames_per_clip, dtype=np.float64) * stride
    return np.floor(moments + 1e-9).astype(np.int64)


def _segments(sampler: ClipSampler, num_frames: int, span: int) -> list[Segment]:
    """Equal parts of the video, one per clip; with overlap allowed and needed, windows spread evenly to its end."""
    count = sampler.num_clips
    bounds = [i * num_frames // count for i in range(count + 1)]
    # A video with fewer frames than clips gives some frames to two clips.
    parts = [Segment(low, max(high - low, 1)) for low, high in pairwise(bounds)]
    if not sampler.allow_clip_overlap or all(part.length >= span for part in parts):
        return parts
    if num_frames < span:
        return [Segment(0, num_frames)] * count
    return [Segment(round(i * (num_frames - span) / (count - 1)), span) for i in range(count)]


def _fitted(sampler: ClipSampler, offsets: NDArray[np.int64], length: int, num_frames: int) -> NDArray[np.int64]:
    """Offsets brought into a segment of `length` frames by the policy for short videos."""
    needed = int(offsets[-1]) + 1
    if needed <= length:
        return offsets
    match sampler.short_videos:
        case "repeat_last":
            return np.minimum(offsets, length - 1)
        case "circulant":
            return offsets % length
        case _:
            raise ClipTooShort(
                f"a clip spans {counted(needed, 'frame')}, its segment of this {num_frames}-frame video {length}"
            )
