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
    """

    starts: NDArray[np.float64]
    duration: float

    def first_at_or_after(self, times: Sequence[float]) -> NDArray[np.int64]:
        """For each time the first frame that appears then or later, else the last frame; int64 [times]."""
        found = np.searchsorted(self.starts, np.asarray(times) - SLACK)
        return np.minimum(found, len(self.starts) - 1)

    def on_show_at(self, times: Sequence[float]) -> NDArray[np.int64]:
        """For each time the frame that is on show; int64 [times]."""
        found = np.searchsorted(self.starts, np.asarray(times) + ROUNDING, side="right") - 1
        return np.maximum(found, 0)


def times_of(shown_at: NDArray[np.float64], fps: float) -> FrameTimes:
    """The times of a video, from when its frames are shown on the file's own clock.

    The last frame is on show for as long as most others.

    Args:
        shown_at: When each frame is shown, rising, in seconds; float64 [frames], at least one.
        fps: Average frames per second, for a video of one frame.
    """
    starts = shown_at - shown_at[0]
    step = float(np.median(np.diff(starts))) if len(starts) > 1 else 1 / fps
    # Without the errors of binary fractions, so that policies which round see 2.25 and not 2.2500000000000004.
    return FrameTimes(starts, round(float(starts[-1]) + step, 6))
