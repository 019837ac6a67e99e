"""What evaluation looks at: the centre of each frame, or several crops along one of its sides.

For squares both follow vjepa2 `evals/video_classification_frozen/utils.py`, which resizes a frame's short side. Other
outputs follow from the same rule: a frame keeps its proportions, and becomes as small as covers the output. Nothing is
drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa_pipe.config.img_size import ImgSize, height_and_width
from vjepa_pipe.transforms.bilinear import resize_bilinear
from vjepa_pipe.transforms.box import Box


def covering_size(frame: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The smallest size of a frame, in its proportions, that covers a target.

    One side is the target's, and the other is cut to a whole pixel. A frame of 40 x 56 covers 36 x 36 at 36 x 50 (50.4
    before the cut), and 36 x 72 at 51 x 72.

    Args:
        frame: Its height and width.
        target: The target's.
    """
    (height, width), (target_height, target_width) = frame, target
    if width * target_height < height * target_width:
        return int(target_width * height / width), target_width
    return target_height, int(target_height * width / height)


@dataclass(frozen=True)
class ResizeCenterCrop:
    """Resize to cover 256/224 of the output's sides, then take the centre.

    Attributes:
        size: Height and width of the output in pixels; one number: a square.

    Raises:
        ValueError: The size is below 1.
    """

    size: ImgSize

    def __post_init__(self) -> None:
        height_and_width(self.size)

    def apply(self, frames: Tensor) -> Tensor:
        """Crop uint8 `[T, H, W, C]` to uint8 `[T, height, width, C]`."""
        target_height, target_width = height_and_width(self.size)
        around = int(target_height * 256 / 224), int(target_width * 256 / 224)
        height, width = covering_size((frames.shape[1], frames.shape[2]), around)
        # round, not //: an odd margin of 5 leaves 2 above and 3 below, one of 7 leaves 4 above and 3 below.
        top, left = round((height - target_height) / 2), round((width - target_width) / 2)
        return resize_bilinear(frames, height, width, Box(top, left, target_height, target_width))


@dataclass(frozen=True)
class MultiViewCrop:
    """Resize to cover the output, then take crops at equal steps along the side that is left over.

    Attributes:
        size: Height and width of each crop in pixels; one number: a square.
        views: Number of crops, from 2. They start at 0, step, 2 step, ... with step = (side - crop's) // (views - 1).

    Raises:
        ValueError: The size is below 1, or there are fewer than 2 views.
    """

    size: ImgSize
    views: int

    def __post_init__(self) -> None:
        height_and_width(self.size)
        if self.views < 2:
            raise ValueError(f"several views must be >= 2 (got {self.views}); one view is a centre crop")

    def apply(self, frames: Tensor) -> Tensor:
        """Crop uint8 `[T, H, W, C]` to uint8 `[views, T, height, width, C]`."""
        target = height_and_width(self.size)
        resized = covering_size((frames.shape[1], frames.shape[2]), target)
        side = 0 if resized[0] > target[0] else 1
        step = (resized[side] - target[side]) // (self.views - 1)
        # The last crop's end is all that is ever looked at.
        seen = [*target]
        seen[side] += step * (self.views - 1)
        part = resize_bilinear(frames, *resized, Box(0, 0, *seen))
        return torch.stack([part.narrow(1 + side, view * step, target[side]) for view in range(self.views)])
