"""Whole frames squeezed to one size, from -1 to 1: the pixels that SigLIP-style image encoders take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vjepa_pipe.config.img_size import ImgSize, height_and_width
from vjepa_pipe.transforms.frames import Frames, as_frames, to_float_clip
from vjepa_pipe.transforms.normalize import Normalize

_TO_MINUS_ONE_TO_ONE = Normalize((0.5,) * 3, (0.5,) * 3)


@dataclass(frozen=True)
class Squeeze:
    """Resizes frames to one size with Pillow's bilinear filter, whatever their shape, and scales them to [-1, 1].

    Nothing is cropped, so proportions are lost; this is what KempnerForge feeds its encoders, with squares.

    Attributes:
        size: Height and width of the output in pixels; one number: a square.
    """

    size: ImgSize

    def __call__(self, frames: Frames, rng: np.random.Generator | None = None) -> Tensor:
        """Resize and scale.

        Args:
            frames: uint8 `[T, H, W, 3]`, tensor or array.
            rng: Unused; taken so that all transforms are called alike.

        Returns:
            float32 `[T, 3, height, width]`.

        Raises:
            TypeError: The frames are not uint8.
            ValueError: The frames have another shape.
        """
        del rng
        height, width = height_and_width(self.size)
        images = [
            Image.fromarray(frame.numpy()).resize((width, height), Image.Resampling.BILINEAR)
            for frame in as_frames(frames)
        ]
        squeezed = torch.from_numpy(np.stack([np.asarray(image) for image in images]))
        return _TO_MINUS_ONE_TO_ONE.apply(to_float_clip(squeezed)).permute(1, 0, 2, 3).contiguous()
