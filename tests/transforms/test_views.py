from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from vjepa_pipe.config import AugConfig
from vjepa_pipe.transforms import Box, MultiViewCrop, ResizeCenterCrop, VideoTransformPipeline
from vjepa_pipe.transforms.bilinear import resize_bilinear
from vjepa_pipe.transforms.views import covering_size

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "eval_transforms.npz")
OPENCV_5X4 = [[0, 51, 128, 204, 255], [3, 47, 115, 191, 241], [8, 40, 90, 164, 214], [10, 37, 77, 151, 200]]


def to_pixels(clip: np.ndarray) -> np.ndarray:
    """Undo the normalisation: float32 `[C, T, H, W]` to whole pixel values `[T, H, W, C]`."""
    config = AugConfig()
    mean, std = (np.reshape(v, (3, 1, 1, 1)) for v in (config.normalize_mean, config.normalize_std))
    return np.rint((clip * std + mean) * 255).transpose(1, 2, 3, 0).astype(np.uint8)


def test_published_centre_crop_to_the_last_bit_of_its_pixels() -> None:
    crop = ResizeCenterCrop(32).apply(torch.from_numpy(GOLDEN["video"]))
    assert np.array_equal(crop.numpy(), to_pixels(GOLDEN["center"]))


@pytest.mark.parametrize("view", [0, 1, 2])
def test_published_views_to_the_last_bit_of_their_pixels(view: int) -> None:
    crops = MultiViewCrop(32, 3).apply(torch.from_numpy(GOLDEN["video"]))
    assert np.array_equal(crops[view].numpy(), to_pixels(GOLDEN[f"view{view}"]))


def test_published_values_after_normalisation() -> None:
    centre = VideoTransformPipeline(AugConfig(), 32).get_eval_transform()(GOLDEN["video"])
    np.testing.assert_allclose(centre.numpy(), GOLDEN["center"], rtol=0, atol=1e-6)
    views = VideoTransformPipeline(AugConfig(eval_views=3), 32).get_eval_transform()(GOLDEN["video"])
    assert views.shape == (3, 3, 4, 32, 32)
    for index, view in enumerate(views):
        np.testing.assert_allclose(view.numpy(), GOLDEN[f"view{index}"], rtol=0, atol=1e-6)


def test_enlarging_matches_opencv() -> None:
    frames = torch.tensor([[0, 128, 255], [10, 77, 200]], dtype=torch.uint8)[None, :, :, None]
    # Measured with OpenCV 5.0.0, cv2.resize to 5 x 4 with INTER_LINEAR.
    assert resize_bilinear(frames, 4, 5)[0, :, :, 0].tolist() == OPENCV_5X4


@settings(max_examples=80)
@given(
    source=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    target=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 2**32),
)
def test_fixed_point_stays_within_a_level_of_floating_point(
    source: tuple[int, int], target: tuple[int, int], seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (1, *source, 3), dtype=np.uint8)
    frames = torch.from_numpy(pixels)
    floating = F.interpolate(frames.permute(0, 3, 1, 2).double(), size=target, mode="bilinear", align_corners=False)
    fixed = resize_bilinear(frames, *target).permute(0, 3, 1, 2).double()
    assert (fixed - floating).abs().max() < 1


@settings(max_examples=50)
@given(data=st.data(), height=st.integers(1, 30), width=st.integers(1, 30))
def test_a_part_is_that_part_of_the_whole(data: st.DataObject, height: int, width: int) -> None:
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    part = Box(top, left, data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left)))
    frames = torch.from_numpy(GOLDEN["video"][:2])
    whole = resize_bilinear(frames, height, width)
    expected = whole[:, top : top + part.height, left : left + part.width]
    assert torch.equal(resize_bilinear(frames, height, width, part), expected)


def test_the_same_size_is_the_same_picture() -> None:
    frames = torch.from_numpy(GOLDEN["video"])
    assert torch.equal(resize_bilinear(frames, 40, 56), frames)


@pytest.mark.parametrize(
    ("source", "size", "expected"),
    [((40, 56), 36, (36, 50)), ((56, 40), 36, (50, 36)), ((40, 40), 7, (7, 7)), ((1, 9), 4, (4, 36))],
)
def test_short_side(source: tuple[int, int], size: int, expected: tuple[int, int]) -> None:
    assert covering_size(source, (size, size)) == expected


def test_views_start_at_equal_steps_along_the_long_side_of_a_portrait() -> None:
    # 40 x 32 frames already have the short side: views start at rows 0, (40 - 32) // 2 and 8.
    frames = torch.from_numpy(GOLDEN["video"][:, :, :32])
    crops = MultiViewCrop(32, 3).apply(frames)
    for crop, row in zip(crops, (0, 4, 8), strict=True):
        assert torch.equal(crop, frames[:, row : row + 32])


def test_views_of_a_square_are_all_alike() -> None:
    crops = MultiViewCrop(16, 4).apply(torch.from_numpy(GOLDEN["video"][:, :, :40]))
    assert crops.shape == (4, 4, 16, 16, 3)
    assert all(torch.equal(crop, crops[0]) for crop in crops)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ResizeCenterCrop(0), r"img_size must be >= 1 \(got 0\)"),
        (lambda: MultiViewCrop(0, 2), r"img_size must be >= 1 \(got 0\)"),
        (lambda: MultiViewCrop(8, 1), r"views must be >= 2 \(got 1\)"),
    ],
)
def test_wrong_settings_are_named(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
