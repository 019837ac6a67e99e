"""Squeeze: Pillow's pixels, from -1 to 1."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from vjepa_pipe.transforms import Squeeze


def test_values_of_a_plain_colour() -> None:
    frames = np.full((2, 10, 30, 3), (255, 128, 0), np.uint8)
    clip = Squeeze(8)(frames)
    assert (clip.shape, clip.dtype) == ((2, 3, 8, 8), torch.float32)
    for channel, value in enumerate((1.0, 2 * 128 / 255 - 1, -1.0)):
        assert clip[:, channel] == pytest.approx(torch.full((2, 8, 8), value), abs=1e-6)


def test_pixels_are_those_of_pillow_whatever_the_shape() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (37, 91, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(frame).resize((16, 16), Image.Resampling.BILINEAR), np.float32) / 127.5 - 1
    assert Squeeze(16)(frame[None])[0].permute(1, 2, 0).numpy() == pytest.approx(expected, abs=1e-6)


def test_other_frames_are_refused() -> None:
    with pytest.raises(TypeError, match="frames must be uint8"):
        Squeeze(8)(np.zeros((1, 4, 4, 3), np.float32))
    with pytest.raises(ValueError, match=r"frames must be \[T, H, W, 3\]"):
        Squeeze(8)(np.zeros((1, 3, 4, 4), np.uint8))
