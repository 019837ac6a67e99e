"""Random erasing: one box of the clip becomes noise (Zhong et al., 2017, arXiv:1708.04896).

The rule is the `cube` mode of vjepa2 `src/datasets/utils/video/randerase.py`: the same box in every frame, fresh
noise in each, N(0, 1) after normalisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vjepa_pipe.transforms.box import Box, draw_log_uniform, place
from vjepa_pipe.transforms.frames import check_shape

TRIES = 100


@dataclass(frozen=True)
class EraseParams:
    """What is erased.

    Attributes:
        box: The box, the same in all frames.
        seed: Seed of the noise, 0 to 2**64 - 1.
    """

    box: Box
    seed: int


@dataclass(frozen=True)
class RandomErasing:
    """Replace a box of the clip by noise.

    Attributes:
        probability: Share of clips that lose a box, 0 to 1.
        area: Smallest and largest share of the frame's area.
        aspect: Smallest and largest height / width.

    Raises:
        ValueError: A value is out of range, or a pair is not in order.
    """

    probability: float = 0.5
    area: tuple[float, float] = (0.02, 1 / 3)
    aspect: tuple[float, float] = (0.3, 1 / 0.3)

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"random_erasing must be from 0 to 1 (got {self.probability})")
        for name, (low, high) in (("area", self.area), ("aspect", self.aspect)):
            if not 0 < low <= high:
                raise ValueError(f"erased {name} must be two positive numbers, smallest first (got {low}, {high})")

    def draw(self, rng: np.random.Generator, shape: Sequence[int]) -> EraseParams | None:
        """Draw what to erase.

        Args:
            rng: Source of randomness.
            shape: Shape of the clip when it is erased, given as `[T, H, W, C]`.

        Returns:
            The box and the seed of its noise. None when this clip is left alone, or when no box fitted: a box is
            always smaller than the frame in both directions, and at least one pixel.
        """
        _, height, width, _ = check_shape(shape)
        if rng.random() >= self.probability:
            return None
        for _ in range(TRIES):
            area = height * width * rng.uniform(*self.area)
            aspect = draw_log_uniform(rng, *self.aspect)
            box_height, box_width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < box_height < height and 0 < box_width < width:
                box = place(rng, box_height, box_width, height, width)
                return EraseParams(box, int(rng.integers(0, 2**64, dtype=np.uint64)))
        return None

    def apply(self, clip: Tensor, params: EraseParams | None) -> Tensor:
        """Erase in place.

        Args:
            clip: Normalised float32 `[C, T, H, W]`; written to.
            params: What to erase; None leaves the clip alone.

        Returns:
            The same tensor.
        """
        if params is None:
            return clip
        top, left, height, width = params.box
        # A generator of its own makes the noise a function of the seed alone, equal on every machine.
        generator = np.random.Generator(np.random.Philox(params.seed))
        noise = generator.standard_normal((*clip.shape[:2], height, width), dtype=np.float32)
        clip[:, :, top : top + height, left : left + width] = torch.from_numpy(noise)
        return clip
