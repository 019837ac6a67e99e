from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from vjepa_pipe.config import AugConfig
from vjepa_pipe.transforms import Box, ClipParams, CropParams, FlipParams, RandomResizedCrop, VideoTransformPipeline
from vjepa_pipe.transforms.crop import largest_centred

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "spatial_transforms.json").read_text())["cases"]
STILL = np.load(GOLDEN / "spatial_transforms_still.npz")
SHIFT = np.load(GOLDEN / "spatial_transforms_shift.npz")
KEPT = [case for case in CASES if case["key"] in STILL or case["key"] in SHIFT]

sides = st.integers(1, 300)
seeds = st.integers(0, 2**32)


def inside(box: Box, height: int, width: int) -> bool:
    top, left, box_height, box_width = box
    return min(top, left) >= 0 < min(box_height, box_width) and top + box_height <= height and left + box_width <= width


def test_the_kept_golden_cases_cover_every_box_still_and_moving_and_both_directions() -> None:
    assert len({tuple(case["box_top_left_h_w"]) for case in KEPT}) == 6
    assert sorted((case["end_box"] is not None, case["flip"]) for case in KEPT) == sorted(
        [(moving, flip) for moving in (False, True) for flip in (False, True)] * 3
    )


@pytest.mark.parametrize("case", KEPT, ids=lambda case: case["key"])
def test_published_crop_flip_and_normalisation(case: dict) -> None:
    transform = VideoTransformPipeline(AugConfig(), img_size=case["size"]).get_train_transform()
    end = Box(*case["end_box"]) if case["end_box"] else None
    params = ClipParams(CropParams(Box(*case["box_top_left_h_w"]), end), FlipParams(case["flip"]))
    expected = (SHIFT if end else STILL)[case["key"]]
    np.testing.assert_allclose(transform.apply(STILL["video"], params).numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [224, 256])
def test_exact_gives_the_bits_of_the_published_calls(size: int, threads: int) -> None:
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 150, 240, 3), dtype=np.uint8))
    images = frames.float().permute(3, 0, 1, 2)
    params = CropParams(Box(3, 5, 101, 173), Box(40, 9, 77, 231))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        still = F.interpolate(images[:, :, 3:104, 5:178], size=(size, size), mode="bilinear", align_corners=False)
        cuts = (
            images[:, i : i + 1, top : top + height, left : left + width]
            for i, (top, left, height, width) in enumerate(params.boxes(4))
        )
        moving = torch.cat(
            [F.interpolate(cut, size=(size, size), mode="bilinear", align_corners=False) for cut in cuts], 1
        )
        crop = RandomResizedCrop(size)
        assert torch.equal(crop.apply(frames, CropParams(params.start)), still)
        assert torch.equal(crop.apply(frames, params), moving)
    finally:
        torch.set_num_threads(before)


@settings(max_examples=200)
@given(seed=seeds, height=sides, width=sides, frames=st.integers(1, 9), motion_shift=st.booleans())
@example(seed=0, height=1, width=300, frames=3, motion_shift=True)
def test_boxes_stay_inside_frames_of_any_size(
    seed: int, height: int, width: int, frames: int, motion_shift: bool
) -> None:
    crop = RandomResizedCrop(8, motion_shift=motion_shift)
    boxes = crop.draw(np.random.default_rng(seed), (frames, height, width, 3)).boxes(frames)
    assert len(boxes) == frames
    assert all(inside(box, height, width) for box in boxes)


@settings(max_examples=200)
@given(
    seed=seeds,
    height=st.integers(20, 300),
    width=st.integers(20, 300),
    scale=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)).map(sorted),
    ratio=st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)).map(sorted),
)
def test_area_and_ratio_are_within_bounds(
    seed: int, height: int, width: int, scale: list[float], ratio: list[float]
) -> None:
    crop = RandomResizedCrop(8, tuple(scale), tuple(ratio))
    box = crop.draw(np.random.default_rng(seed), (1, height, width, 3)).start
    if box == largest_centred(height, width, *crop.ratio):
        return
    # Each side was rounded, so a box stands for sides up to half a pixel away.
    low_height, high_height, low_width, high_width = (
        box.height - 0.5, box.height + 0.5, box.width - 0.5, box.width + 0.5
    )  # fmt: skip
    slack = 1e-9
    assert low_height * low_width <= scale[1] * height * width * (1 + slack)
    assert high_height * high_width >= scale[0] * height * width * (1 - slack)
    assert low_width / high_height <= ratio[1] * (1 + slack)
    assert high_width / low_height >= ratio[0] * (1 - slack)


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        (720, 1280, (0, 154, 720, 972)),
        (180, 320, (0, 38, 180, 243)),
        (1280, 720, (160, 0, 960, 720)),
        (1, 1, (0, 0, 1, 1)),
    ],
)
def test_a_scale_that_never_fits_gives_the_centre_within_the_ratios(height: int, width: int, box: tuple) -> None:
    crop = RandomResizedCrop(256, scale=(1.777, 1.777), ratio=(0.75, 1.35))
    for seed in range(5):
        assert crop.draw(np.random.default_rng(seed), (8, height, width, 3)) == CropParams(Box(*box))


def test_a_thin_frame_keeps_at_least_one_pixel() -> None:
    crop = RandomResizedCrop(4, scale=(9, 9), ratio=(3, 4))
    assert crop.draw(np.random.default_rng(0), (1, 9, 1, 3)).start == Box(4, 0, 1, 1)


def test_boxes_reach_every_edge() -> None:
    crop = RandomResizedCrop(4, scale=(0.25, 0.25), ratio=(1, 1))
    rng = np.random.default_rng(0)
    places = {crop.draw(rng, (1, 6, 6, 3)).start for _ in range(500)}
    assert places == {Box(top, left, 3, 3) for top in range(4) for left in range(4)}


def test_a_moving_crop_starts_and_ends_where_it_was_drawn() -> None:
    params = CropParams(Box(2, 0, 10, 20), Box(5, 7, 4, 20))
    boxes = params.boxes(5)
    assert boxes[0] == params.start
    assert boxes[-1] == params.end
    assert [box.top for box in boxes] == [2, 2, 3, 4, 5]
    assert [box.height for box in boxes] == [10, 8, 7, 5, 4]
    assert params.boxes(1) == [params.start]


def test_a_still_crop_has_one_box() -> None:
    assert CropParams(Box(1, 2, 3, 4)).boxes(3) == [Box(1, 2, 3, 4)] * 3
    assert RandomResizedCrop(8).draw(np.random.default_rng(0), (4, 30, 40, 3)).end is None


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_crop_that_needs_no_resizing_is_exact(channels: int) -> None:
    frames = torch.randint(0, 256, (2, 12, 14, channels), dtype=torch.uint8)
    before = frames.clone()
    clip = RandomResizedCrop(8).apply(frames, CropParams(Box(3, 5, 8, 8)))
    assert clip.shape == (channels, 2, 8, 8)
    assert torch.equal(clip, frames[:, 3:11, 5:13].permute(3, 0, 1, 2).float())
    assert torch.equal(frames, before)


@pytest.mark.parametrize("box", [Box(-1, 0, 4, 4), Box(0, 0, 0, 4), Box(7, 0, 4, 4), Box(0, 0, 4, 11)])
def test_a_box_outside_the_frame_is_refused(box: Box) -> None:
    frames = torch.zeros(2, 10, 10, 3, dtype=torch.uint8)
    for params in (CropParams(box), CropParams(Box(0, 0, 4, 4), box)):
        with pytest.raises(ValueError, match=r"is outside a 10x10 frame"):
            RandomResizedCrop(8).apply(frames, params)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"size": 0}, r"img_size must be >= 1 \(got 0\)"),
        ({"size": 8, "scale": (0.5, 0.2)}, r"crop_scale .* \(got 0.5, 0.2\)"),
        ({"size": 8, "ratio": (0.0, 1.0)}, r"crop_ratio .* \(got 0.0, 1.0\)"),
    ],
)
def test_wrong_settings_are_named(settings_: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomResizedCrop(**settings_)
