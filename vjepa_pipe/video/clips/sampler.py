"""Which frames of a video make its clips: arithmetic on frame numbers, no decoding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.data import CLIP_MODES, CONVENTIONS, SHORT_VIDEO_POLICIES
from vjepa_pipe.video.clips import reference as reference_windows
from vjepa_pipe.video.clips import strict as strict_windows
from vjepa_pipe.video.errors import ClipError


class Windows(Protocol):
    """What a convention says about clips; its modules hold these functions."""

    def span(self, sampler: ClipSampler, fps: float) -> int:
        """Frames of the video that a clip takes up."""

    def last_starts(self, sampler: ClipSampler, num_frames: int, fps: float) -> list[int]:
        """The last start of each clip, counted from the start of its segment."""

    def clips(
        self, sampler: ClipSampler, num_frames: int, fps: float, starts: Sequence[int]
    ) -> list[NDArray[np.int64]]:
        """The frame numbers of each clip."""


WINDOWS: dict[str, Windows] = {"strict": strict_windows, "reference": reference_windows}


@dataclass(frozen=True)
class ClipSampler:
    """Draws clips from a video of known length and rate.

    A clip is `frames_per_clip` frame numbers; `num_clips` of them are taken from each video, each from its own
    segment. Where a clip starts in its segment may be drawn; everything else follows. Frames count in the order of
    showing; with a variable frame rate the average rate stands for the rate.

    `strict` keeps the time between frames true: clips of a 29.97 fps video asked for at 10 fps take frames 0, 2, 5,
    8, 11, ... and start at any frame from which they fit. `reference` picks the frames that the published vjepa2
    loader picks (src/datasets/video_dataset.py, `loadvideo_decord`), which rounds rates to whole frames, spreads
    the frames unevenly and never starts at the last place.

    Attributes:
        clip_mode: What fixes the time between frames: `fps` (`target_fps`), `duration` (`clip_duration_sec`) or
            `frame_step` (`frame_step`).
        frames_per_clip: Frames in a clip.
        target_fps: Frames per second of a clip. A slower video repeats frames (strict only).
        clip_duration_sec: Seconds that a clip spans.
        frame_step: Source frames from one clip frame to the next.
        num_clips: Clips per video.
        random_clip_sampling: Draw where a clip starts; otherwise it starts with its segment.
        allow_clip_overlap: Where segments are shorter than a clip, let clips overlap instead of padding them.
        short_videos: What fills a clip longer than its segment: `repeat_last` repeats the last frame, `circulant`
            starts over (strict only), `drop` raises `ClipTooShort`.
        convention: `strict` or `reference`.

    Raises:
        ValueError: If a field has no meaning, naming the field, the value and the bound.
    """

    clip_mode: str = "fps"
    frames_per_clip: int = 16
    target_fps: float = 10.0
    clip_duration_sec: float = 3.2
    frame_step: int = 4
    num_clips: int = 1
    random_clip_sampling: bool = True
    allow_clip_overlap: bool = False
    short_videos: str = "repeat_last"
    convention: str = "strict"

    def __post_init__(self) -> None:
        for name, choices in (
            ("clip_mode", CLIP_MODES),
            ("short_videos", SHORT_VIDEO_POLICIES),
            ("convention", CONVENTIONS),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)} (got {getattr(self, name)!r})")
        for name in ("frames_per_clip", "target_fps", "clip_duration_sec", "frame_step", "num_clips"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0 (got {getattr(self, name)})")
        if self.convention == "reference" and self.short_videos == "circulant":
            raise ValueError("short_videos=circulant needs convention=strict: the published loader has no such policy")

    @property
    def fps(self) -> float | None:
        """Frames per second of a clip; None with `frame_step`, which has those of its video."""
        if self.clip_mode == "duration":
            return self.frames_per_clip / self.clip_duration_sec
        return self.target_fps if self.clip_mode == "fps" else None

    def draw(self, rng: np.random.Generator, num_frames: int, fps: float) -> list[NDArray[np.int64]]:
        """Draw the clips of one video.

        Args:
            rng: The only source of randomness.
            num_frames: Length of the video.
            fps: Average frames per second of the video.

        Returns:
            `num_clips` arrays of frame numbers in [0, num_frames), int64 [frames_per_clip].

        Raises:
            ClipTooShort: If the video is too short and short videos are to be dropped.
            ClipError: If no clip can be made of a video of this length and rate.
        """
        return self.indices(num_frames, fps, self.draw_starts(rng, num_frames, fps))

    def draw_starts(self, rng: np.random.Generator, num_frames: int, fps: float) -> list[int]:
        """Draw where each clip starts, counted from the start of its segment.

        Uniform over every start allowed; all 0 without `random_clip_sampling`. Arguments and errors as for `draw`.
        """
        self._check_video(num_frames, fps)
        last_starts = WINDOWS[self.convention].last_starts(self, num_frames, fps)
        return [int(rng.integers(last + 1)) if self.random_clip_sampling else 0 for last in last_starts]

    def indices(self, num_frames: int, fps: float, starts: Sequence[int]) -> list[NDArray[np.int64]]:
        """The frames of the clips that start at `starts`; see `draw` for the other arguments, the result and errors.

        Args:
            num_frames: Length of the video.
            fps: Average frames per second of the video.
            starts: One start per clip, as `draw_starts` returns them.
        """
        self._check_video(num_frames, fps)
        last_starts = WINDOWS[self.convention].last_starts(self, num_frames, fps)
        if len(starts) != len(last_starts) or not all(
            0 <= start <= last for start, last in zip(starts, last_starts, strict=True)
        ):
            raise ClipError(
                f"starts must be {len(last_starts)} numbers, the largest {last_starts} (got {list(starts)})"
            )
        return WINDOWS[self.convention].clips(self, num_frames, fps, starts)

    def too_short(self, num_frames: int, fps: float) -> bool:
        """Whether a video of this length and rate has fewer frames than a clip takes up, so that clips are padded."""
        available = num_frames if self.allow_clip_overlap else num_frames // self.num_clips
        return max(available, 1) < WINDOWS[self.convention].span(self, fps)

    def _check_video(self, num_frames: int, fps: float) -> None:
        if num_frames < 1:
            raise ClipError(f"num_frames must be >= 1 (got {num_frames})")
        if not (math.isfinite(fps) and fps > 0):
            raise ClipError(f"fps must be a number > 0 (got {fps})")
