"""Random resized crop, with the moving crop called motion shift.

The rule is that of vjepa2 `src/datasets/utils/video/transforms.py` (`random_resized_crop`,
`random_resized_crop_with_shift`); only the source of the random numbers differs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vjepa_pipe.config.aug import PRECISIONS
from vjepa_pipe.config.img_size import ImgSize, height_and_width
from vjepa_pipe.transforms.box import Box, draw_log_uniform, place
from vjepa_pipe.transforms.frames import check_shape

TRIES = 10


@dataclass(frozen=True)
class CropParams:
    """Where a clip is cropped.

    Attributes:
        start: Box of the first frame.
        end: Box of the last frame; None when the crop stands still.
    """

    start: Box
    end: Box | None = None

    def boxes(self, num_frames: int) -> list[Box]:
        """Give one box per frame.

        A moving crop goes in equal steps from start to end, each coordinate cut to a whole pixel: tops from 2 to 5
        over 5 frames are 2, 2.75, 3.5, 4.25, 5, so 2, 2, 3, 4, 5. A single frame takes the start.
        """
        if self.end is None:
            return [self.start] * num_frames
        steps = [torch.linspace(a, b, num_frames).int().tolist() for a, b in zip(self.start, self.end, strict=True)]
        return [Box(*values) for values in zip(*steps, strict=True)]


@dataclass(frozen=True)
class RandomResizedCrop:
    """Crop a random box and resize it; proportions are lost where the box and the output have other ones.

    Attributes:
        size: Height and width of the output in pixels; one number: a square.
        scale: Smallest and largest share of the frame's area.
        ratio: Smallest and largest width / height of the box, whatever the output's, as torchvision draws it.
        motion_shift: Draw a second box, and move from the first to it during the clip.
        center_ratio: Take the largest centred box of this width / height, and draw nothing.
        precision: `exact` resizes in float32, bit for bit as vjepa2 does; `fast` resizes in uint8, within one grey
            level of it.

    Raises:
        ValueError: A size or bound is not positive, or a pair is not in order.
    """

    size: ImgSize
    scale: tuple[float, float] = (0.3, 1.0)
    ratio: tuple[float, float] = (0.75, 1.33)
    motion_shift: bool = False
    center_ratio: float | None = None
    precision: str = "exact"

    def __post_init__(self) -> None:
        height_and_width(self.size)
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)} (got {self.precision!r})")
        for name, (low, high) in (("crop_scale", self.scale), ("crop_ratio", self.ratio)):
            if not 0 < low <= high:
                raise ValueError(f"{name} must be two positive numbers, smallest first (got {low}, {high})")

    def draw(self, rng: np.random.Generator, shape: Sequence[int]) -> CropParams:
        """Draw where to crop.

        Args:
            rng: Source of randomness.
            shape: Shape of the frames, `[T, H, W, C]`.
        """
        _, height, width, _ = check_shape(shape)
        if self.center_ratio is not None:
            return CropParams(largest_centred(height, width, self.center_ratio, self.center_ratio))
        start = self._draw_box(rng, height, width)
        return CropParams(start, self._draw_box(rng, height, width) if self.motion_shift else None)

    def apply(self, frames: Tensor, params: CropParams) -> Tensor:
        """Crop and resize, bilinear without antialiasing.

        Each frame is cut to its box before it becomes float, so a clip never stands in memory at source size as float.

        Args:
            frames: uint8 `[T, H, W, C]`, on any device, any number of channels.
            params: Where to crop.

        Returns:
            `[C, T, height, width]` from 0 to 255: float32, or uint8 with `fast`.

        Raises:
            ValueError: A box does not fit the frames.
        """
        boxes = params.boxes(len(frames))
        return torch.stack([self.resized(frame, box) for frame, box in zip(frames, boxes, strict=True)], dim=1)

    def resized(self, frame: Tensor, box: Box) -> Tensor:
        """One frame uint8 `[H, W, C]`, cropped and resized to `[C, height, width]`; see `apply`."""
        height, width, _ = frame.shape
        top, left, box_height, box_width = box
        if min(box) < 0 or 0 in box[2:] or top + box_height > height or left + box_width > width:
            raise ValueError(f"crop {tuple(box)} (top, left, height, width) is outside a {height}x{width} frame")
        cut = frame[top : top + box_height, left : left + box_width].permute(2, 0, 1)
        # Each colour is an image in the published `[C, T, H, W]`; an image of three colours is rounded otherwise.
        images = cut[None] if self.precision == "fast" else cut[:, None].float()
        size = height_and_width(self.size)
        resized = F.interpolate(images, size=size, mode="bilinear", align_corners=False)
        return resized.view(len(cut), *size)

    def _draw_box(self, rng: np.random.Generator, height: int, width: int) -> Box:
        for _ in range(TRIES):
            area = height * width * rng.uniform(*self.scale)
            ratio = draw_log_uniform(rng, *self.ratio)
            box_width, box_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < box_width <= width and 0 < box_height <= height:
                return place(rng, box_height, box_width, height, width)
        # vjepa2's DROID recipe lives here: scale 1.777 never fits, so each 1280x720 frame gives (0, 154, 720, 972).
        return largest_centred(height, width, *self.ratio)


def largest_centred(height: int, width: int, low: float, high: float) -> Box:
    """The largest centred box of a frame whose width / height is from `low` to `high`."""
    if width / height < low:
        box_height, box_width = max(1, round(width / low)), width
    elif width / height > high:
        box_height, box_width = height, max(1, round(height * high))
    else:
        box_height, box_width = height, width
    return Box((height - box_height) // 2, (width - box_width) // 2, box_height, box_width)
