"""When each frame of a video is on show, learned from its packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SLACK = 1e-3
"""Seconds by which a frame may come before its time: containers round times, some to whole milliseconds."""

ROUNDING = 1e-6
"""Seconds lost in the arithmetic of times."""


@dataclass(frozen=True)
class FrameTimes:
    """When the frames of a video are on show, in seconds from its first frame.

    Other streams do not count, nor does a start that is not at 0, so a longer sound track or a late start changes
    nothing.

    Attributes:
        starts: When each frame appears, rising; float64 [frames].
        duration: When the last frame goes.
        first: When the first frame appears on the file's own clock, in seconds.
    """

    starts: NDArray[np.float64]
    duration: float
    first: float = 0.0

    @property
    def on_file_clock(self) -> NDArray[np.float64]:
        """When each frame appears, in seconds on the file's own clock; float64 [frames]."""
        return self.starts + self.first

    def first_at_or_after(self, times: Sequence[float]) -> NDArray[np.int64]:
        """For each time the first frame that appears then or later, else the last frame; int64 [times]."""
        found = np.searchsorted(self.starts, np.asarray(times) - SLACK)
        return np.minimum(found, len(self.starts) - 1)

    def on_show_at(self, times: Sequence[float]) -> NDArray[np.int64]:
        """For each time the frame that is on show; int64 [times]."""
        found = np.searchsorted(self.starts, np.asarray(times) + ROUNDING, side="right") - 1
        return np.maximum(found, 0)


def evenly_spaced(num_frames: int, fps: float) -> FrameTimes:
    """The times of frames that follow each other at a constant rate."""
    return FrameTimes(np.arange(num_frames) / fps, num_frames / fps)


def times_of(shown: Sequence[tuple[int, int]], time_base: float) -> FrameTimes:
    """The times of frames whose packets tell them.

    Args:
        shown: When each frame is shown, rising, and how long, 0 if unknown; in units of `time_base`. What counts of
            the lengths is the last, which otherwise is that of most steps.
        time_base: Seconds per unit.
    """
    if not shown:
        return FrameTimes(np.zeros(0), 0.0)
    starts = np.array([start for start, _ in shown]) - shown[0][0]
    lasts = shown[-1][1] or (float(np.median(np.diff(starts))) if len(starts) > 1 else 0.0)
    return FrameTimes(starts * time_base, float(starts[-1] + lasts) * time_base, shown[0][0] * time_base)
