"""Mean and standard deviation, applied to pixels that are still on the 0-255 scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Normalize:
    """Subtract the mean of each colour and divide by its standard deviation.

    Pixels keep their 0-255 scale and mean and std are multiplied by 255 instead: (x - 255 m) / (255 s) is
    (x / 255 - m) / s with one pass over the clip less. Rule of vjepa2 `app/vjepa/transforms.py`.

    Attributes:
        mean: Mean of each colour, for pixels from 0 to 1.
        std: Standard deviation of each colour, for pixels from 0 to 1.

    Raises:
        ValueError: A standard deviation is not positive, or the lengths differ.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std):
            raise ValueError(f"normalize_mean and normalize_std must be equally long (got {self.mean}, {self.std})")
        if min(self.std) <= 0:
            raise ValueError(f"normalize_std must be > 0 (got {self.std})")

    def apply(self, clip: Tensor) -> Tensor:
        """Normalise in place.

        Args:
            clip: float32 `[C, T, H, W]` from 0 to 255; written to.

        Returns:
            The same tensor.
        """
        return self.write(clip, clip)

    def write(self, pixels: Tensor, place: Tensor) -> Tensor:
        """Normalise into a place, without a copy between.

        Args:
            pixels: `[C, T, H, W]` from 0 to 255, float32 or uint8.
            place: float32 of that shape.

        Returns:
            The place.
        """
        mean, std = _on_the_255_scale(self.mean, self.std)
        return torch.sub(pixels, mean.to(pixels.device), out=place).div_(std.to(place))


@cache
def _on_the_255_scale(mean: tuple[float, ...], std: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Both as float32 `[C, 1, 1, 1]`, times 255; made once, for clips are normalised frame by frame."""
    first, second = ((torch.tensor(values, dtype=torch.float32) * 255).view(-1, 1, 1, 1) for values in (mean, std))
    return first, second
