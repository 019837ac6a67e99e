"""Clip windows of the published vjepa2 loader, number for number (src/datasets/video_dataset.py).

Its habits are kept: the step is a whole number of frames reckoned from the rate rounded up, frames are spread by
`linspace` over one step too much, the last window is never drawn, and overlapping eval clips repeat a frame short of
their end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import counted
from vjepa_pipe.video.errors import ClipError, ClipTooShort

if TYPE_CHECKING:
    from vjepa_pipe.video.clips.sampler import ClipSampler


def span(sampler: ClipSampler, fps: float) -> int:
    """Frames that a clip takes up, with the step behind its last frame."""
    return sampler.frames_per_clip * _step(sampler, fps)


def last_starts(sampler: ClipSampler, num_frames: int, fps: float) -> list[int]:
    """The last start, counted from the segment's own, that the published loader can draw for each clip."""
    return [max(0, num_frames // sampler.num_clips - span(sampler, fps) - 1)] * sampler.num_clips


def clips(sampler: ClipSampler, num_frames: int, fps: float, starts: Sequence[int]) -> list[NDArray[np.int64]]:
    """The frame numbers of each clip, int64 [frames_per_clip].

    Raises:
        ClipTooShort: If the video is shorter than a clip and short videos are to be dropped.
        ClipError: If the step between frames comes out as 0.
    """
    step, length = _step(sampler, fps), span(sampler, fps)
    if sampler.short_videos == "drop" and num_frames < length:
        raise ClipTooShort(f"a clip spans {counted(length, 'frame')}, the video has {num_frames}")
    segment = num_frames // sampler.num_clips
    chosen = []
    for i, start in enumerate(starts):
        if segment > length:
            spread = np.linspace(start, start + length, sampler.frames_per_clip)
            frames = np.clip(spread, start, start + length - 1).astype(np.int64) + i * segment
        elif not sampler.allow_clip_overlap:
            frames = np.clip(_padded(segment, step, sampler.frames_per_clip), 0, segment - 1) + i * segment
        else:
            end = min(length, num_frames) - 1
            shift = (num_frames - length) // (sampler.num_clips - 1) if num_frames > length else 0
            frames = np.clip(_padded(end, step, sampler.frames_per_clip), 0, end - 1) + i * shift
        # An empty segment clips to -1, which decord reads as the last frame.
        chosen.append(np.where(frames < 0, num_frames - 1, frames))
    return chosen


def _padded(end: int, step: int, frames_per_clip: int) -> NDArray[np.int64]:
    """As many frames from 0 to `end` as the step gives, then `end` again and again."""
    spread = np.linspace(0, end, end // step)
    return np.concatenate([spread, np.full(frames_per_clip - len(spread), end)]).astype(np.int64)


def _step(sampler: ClipSampler, fps: float) -> int:
    match sampler.clip_mode:
        case "fps":
            step, wish = int(math.ceil(fps) // sampler.target_fps), f"target_fps={sampler.target_fps:g}"
        case "duration":
            step = int(sampler.clip_duration_sec * math.ceil(fps) / sampler.frames_per_clip)
            wish = f"clip_duration_sec={sampler.clip_duration_sec:g} with frames_per_clip={sampler.frames_per_clip}"
        case _:
            return sampler.frame_step
    if step < 1:
        raise ClipError(f"a video of {fps:g} fps is too slow for {wish} in convention=reference; strict repeats frames")
    return step
