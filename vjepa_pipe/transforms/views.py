"""What evaluation looks at: the centre of each frame, or several crops along its long side.

Both follow vjepa2 `evals/video_classification_frozen/utils.py`. Nothing is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa_pipe.transforms.bilinear import resize_bilinear
from vjepa_pipe.transforms.box import Box


def short_side_size(height: int, width: int, size: int) -> tuple[int, int]:
    """Give the height and width of a frame whose short side is resized to `size`; the long one is cut to a whole pixel.

    A frame of 40 x 56 with its short side at 36 becomes 36 x 50 (50.4 before the cut).
    """
    if width < height:
        return int(size * height / width), size
    return size, int(size * width / height)


@dataclass(frozen=True)
class ResizeCenterCrop:
    """Resize the short side to 256/224 of the output, then take the centre.

    Attributes:
        size: Side of the output in pixels.

    Raises:
        ValueError: The size is below 1.
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"img_size must be >= 1 (got {self.size})")

    def apply(self, frames: Tensor) -> Tensor:
        """Crop uint8 `[T, H, W, C]` to uint8 `[T, size, size, C]`."""
        height, width = short_side_size(frames.shape[1], frames.shape[2], int(self.size * 256 / 224))
        # round, not //: an odd margin of 5 leaves 2 above and 3 below, one of 7 leaves 4 above and 3 below.
        top, left = round((height - self.size) / 2), round((width - self.size) / 2)
        return resize_bilinear(frames, height, width, Box(top, left, self.size, self.size))


@dataclass(frozen=True)
class MultiViewCrop:
    """Resize the short side to the output, then take crops at equal steps along the long side.

    Attributes:
        size: Side of each crop in pixels.
        views: Number of crops, from 2. They start at 0, step, 2 step, ... with step = (long - size) // (views - 1).

    Raises:
        ValueError: The size is below 1, or there are fewer than 2 views.
    """

    size: int
    views: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"img_size must be >= 1 (got {self.size})")
        if self.views < 2:
            raise ValueError(f"several views must be >= 2 (got {self.views}); one view is a centre crop")

    def apply(self, frames: Tensor) -> Tensor:
        """Crop uint8 `[T, H, W, C]` to uint8 `[views, T, size, size, C]`."""
        height, width = short_side_size(frames.shape[1], frames.shape[2], self.size)
        step = (max(height, width) - self.size) // (self.views - 1)
        # The last crop's end is all that is ever looked at.
        seen = self.size + step * (self.views - 1)
        long_dim = 1 if height > width else 2
        part = Box(0, 0, seen, self.size) if long_dim == 1 else Box(0, 0, self.size, seen)
        resized = resize_bilinear(frames, height, width, part)
        return torch.stack([resized.narrow(long_dim, view * step, self.size) for view in range(self.views)])
