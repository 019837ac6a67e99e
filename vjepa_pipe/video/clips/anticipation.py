"""Clips that end some time before a moment of an action in a long video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.video.errors import ClipError


@dataclass(frozen=True)
class Anticipation:
    """Where the clip of an action ends.

    Attributes:
        first: First frame of the action, from 0.
        last: Last frame of the action.
        time_sec: Seconds from the end of the clip to the anticipation point, >= 0.
        point: The anticipation point, as the share of the action that is still to come: 1 its start, 0 its end.
    """

    first: int
    last: int
    time_sec: float
    point: float

    def frames(
        self, frames_per_clip: int, target_fps: float, num_frames: int, fps: float, convention: str = "strict"
    ) -> NDArray[np.int64]:
        """The frames of the clip: the last of them comes 1 / `target_fps` before the clip's end.

        Before the start of the video its first frame is repeated. `strict` keeps the time between frames true.
        `reference` picks the frames of the published code (vjepa2 evals/action_anticipation_frozen/epickitchens.py):
        its step is a whole number of frames, rounded down, and so are the anticipation time and the clip's end.

        Args:
            frames_per_clip: Frames in the clip.
            target_fps: Frames per second of the clip. A slower video repeats frames (strict only).
            num_frames: Length of the video.
            fps: Average frames per second of the video.
            convention: `strict` or `reference`.

        Returns:
            Frame numbers in [0, num_frames), int64 [frames_per_clip].

        Raises:
            ClipError: The clip would end after the video, the action stops before it starts (strict only), or the step
                comes out as 0 (reference only).
        """
        moment = self.first * self.point + (1 - self.point) * self.last
        if convention == "reference":
            step = int(fps / target_fps)
            if step < 1:
                raise ClipError(
                    f"a video of {fps:g} fps is too slow for target_fps={target_fps:g} in convention=reference; "
                    "strict repeats frames"
                )
            chosen = int(moment - int(self.time_sec * fps)) + np.arange(-frames_per_clip, 0) * step
        else:
            if self.last < self.first:
                raise ClipError(f"the action stops at frame {self.last}, before its start at frame {self.first}")
            steps = np.arange(-frames_per_clip, 0) * (fps / target_fps)
            # A moment that rounding leaves just below a frame is that frame.
            chosen = np.floor(moment - self.time_sec * fps + steps + 1e-9).astype(np.int64)
        if chosen[-1] >= num_frames:
            raise ClipError(
                f"the clip before frames {self.first} to {self.last} would end at frame {chosen[-1]} of a video with "
                f"{num_frames}"
            )
        return np.maximum(chosen, 0)
