"""What a run's clips were like: the figures that are counted, as running mean and range.

`report/figures.py` shows them. Nothing here imports torch or numpy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figures = dict[str, float]
"""Figures of one clip, by their names in `FIGURES`."""

FIGURES = {
    "source_fps": "source frames per second",
    "clip_seconds": "seconds of video per clip",
    "repeated_frames": "frames padded or repeated",
    "short_clips": "clips longer than their video",
    "crop_area": "crop: share of the picture",
    "crop_aspect": "crop: width / height",
    "erased": "random erasing: share of the picture",
}
"""Figures of single clips, in words. The masks of a batch add two each: see `token_figures`."""

SHARES = frozenset({"repeated_frames", "short_clips", "crop_area", "erased"})
"""Those from 0 to 1, as are all of masks."""

OF_IMAGES = "image."
"""Begins the names of figures of images that are streamed beside videos."""


@dataclass
class Spread:
    """Mean, smallest and largest of values that are not kept.

    Attributes:
        clips: How many values there were.
        total: Their sum.
        min: The smallest; infinite without values.
        max: The largest; minus infinite without values.
    """

    clips: int = 0
    total: float = 0.0
    min: float = math.inf
    max: float = -math.inf

    @property
    def mean(self) -> float:
        """NaN without values."""
        return self.total / self.clips if self.clips else math.nan

    def add(self, value: float, clips: int = 1) -> None:
        """The same value of some clips."""
        self.clips += clips
        self.total += value * clips
        if value < self.min:
            self.min = value
        if value > self.max:
            self.max = value

    def merge(self, other: Spread) -> None:
        """The values that another has seen."""
        self.clips += other.clips
        self.total += other.total
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)

    def as_dict(self) -> dict[str, float]:
        """For JSON: `clips`, `mean`, `min` and `max`."""
        return {"clips": self.clips, "mean": self.mean, "min": self.min, "max": self.max}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Spread:
        """What `as_dict` gave.

        Raises:
            ValueError: It is something else.
        """
        try:
            clips, mean, low, high = (float(content[name]) for name in ("clips", "mean", "min", "max"))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a mean and a range: {content!r}") from error
        return cls(int(clips), mean * clips, low, high)


def merge(parts: Iterable[Mapping[str, Spread]]) -> dict[str, Spread]:
    """The figures of several sources, or of several ranks, as those of all their clips."""
    merged: dict[str, Spread] = {}
    for part in parts:
        for name, spread in part.items():
            merged.setdefault(name, Spread()).merge(spread)
    return merged


def mean_of(figures: Sequence[Figures]) -> Figures:
    """The figures of a sample with several clips."""
    return {name: sum(one[name] for one in figures) / len(figures) for name in figures[0]} if figures else {}


def clip_figures(indices: Sequence[int], fps: float, length: int) -> Figures:
    """What the choice of frames made of a video.

    Args:
        indices: Numbers of the frames in the clip.
        fps: Frames per second of the file; of robot data, rows per second. A file may say nothing that is a rate.
        length: Frames in a clip, with those that pad it.
    """
    rated = 0 < fps < math.inf
    times = {"source_fps": fps, "clip_seconds": (max(indices) - min(indices) + 1) / fps} if rated else {}
    return times | {"repeated_frames": 1 - len(set(indices)) / length}


def token_figures(name: str, seen: int, predicted: int, tokens: int) -> Figures:
    """What a mask leaves: the share of a clip's tokens that the encoder sees, and that the predictor must predict."""
    return {f"mask.{name}.encoder": seen / tokens, f"mask.{name}.predictor": predicted / tokens}
