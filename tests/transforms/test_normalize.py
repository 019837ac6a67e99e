from __future__ import annotations

import pytest
import torch

from vjepa_pipe.config.aug import IMAGENET_MEAN, IMAGENET_STD
from vjepa_pipe.transforms import Normalize


def test_the_0_255_rule_equals_normalising_pixels_from_0_to_1() -> None:
    pixels = torch.arange(256.0).repeat(3, 1).view(3, 1, 16, 16)
    mean, std = torch.tensor(IMAGENET_MEAN).view(3, 1, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1, 1)
    expected = (pixels.double() / 255 - mean) / std
    out = Normalize(IMAGENET_MEAN, IMAGENET_STD).apply(pixels.clone())
    torch.testing.assert_close(out.double(), expected, rtol=0, atol=1e-6)


def test_it_works_in_place() -> None:
    clip = torch.rand(3, 2, 4, 4)
    assert Normalize((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).apply(clip).data_ptr() == clip.data_ptr()


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((0.0, 0.0, 0.0), (1.0, 0.0, 1.0), r"normalize_std must be > 0"),
        ((0.0, 0.0), (1.0, 1.0, 1.0), r"equally long"),
    ],
)
def test_wrong_settings_are_named(mean: tuple, std: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Normalize(mean, std)
