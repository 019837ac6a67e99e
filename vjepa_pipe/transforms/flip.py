"""Horizontal flip: the whole clip mirrored left to right, or none of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class FlipParams:
    """Whether the clip is mirrored."""

    mirrored: bool


@dataclass(frozen=True)
class HorizontalFlip:
    """Mirror a clip left to right.

    Attributes:
        probability: Share of clips that are mirrored, 0 to 1.

    Raises:
        ValueError: The probability is out of range.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability of a flip must be from 0 to 1 (got {self.probability})")

    def draw(self, rng: np.random.Generator, shape: Sequence[int]) -> FlipParams:
        """Draw whether to mirror; the shape plays no part."""
        del shape
        return FlipParams(bool(rng.random() < self.probability))

    def apply(self, clip: Tensor, params: FlipParams) -> Tensor:
        """Mirror the last dimension of `[..., W]`; the input is never written to."""
        return clip.flip(-1) if params.mirrored else clip
