"""Clips of any height and width, of frames of any height and width."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vjepa_pipe.config import AugConfig
from vjepa_pipe.transforms import (
    MultiViewCrop,
    RandomResizedCrop,
    ResizeCenterCrop,
    Squeeze,
    VideoTransformPipeline,
)
from vjepa_pipe.transforms.train import TrainTransform
from vjepa_pipe.transforms.views import covering_size

Shape = tuple[int, int]

sides = st.integers(1, 24)
shapes = st.tuples(sides, sides)
seeds = st.integers(0, 2**32)
THIN, TALL, WIDE = (1, 1), (233, 17), (17, 233)


def frames_of(source: Shape, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (2, *source, 3), dtype=np.uint8)


def train(config: AugConfig, target: Shape | int, output: str = "float32") -> TrainTransform:
    return VideoTransformPipeline(config, target, output=output).get_train_transform()


@settings(max_examples=40, deadline=None)
@given(
    source=shapes,
    target=shapes,
    seed=seeds,
    output=st.sampled_from(["float32", "uint8"]),
    config=st.builds(
        AugConfig,
        motion_shift=st.booleans(),
        auto_augment=st.booleans(),
        rand_augment_order=st.sampled_from(["after_crop", "before_crop"]),
        precision=st.sampled_from(["exact", "fast"]),
        center_crop_ratio=st.sampled_from([None, None, 2.0]),
    ),
)
@example(source=THIN, target=(1, 19), seed=0, output="float32", config=AugConfig(auto_augment=True))
@example(source=(1, 24), target=(19, 1), seed=1, output="uint8", config=AugConfig(precision="fast"))
@example(source=TALL, target=WIDE, seed=2, output="float32", config=AugConfig())
@example(source=WIDE, target=TALL, seed=3, output="uint8", config=AugConfig(precision="fast"))
def test_training_gives_the_asked_height_and_width(
    source: Shape, target: Shape, seed: int, output: str, config: AugConfig
) -> None:
    config = dataclasses.replace(config, random_erasing=0.0 if output == "uint8" else 1.0)
    transform, frames = train(config, target, output), frames_of(source, seed)
    clip = transform(frames, np.random.default_rng(seed))
    assert clip.shape == (3, 2, *target) and clip.is_contiguous()
    assert clip.dtype == getattr(torch, output) and torch.isfinite(clip.float()).all()
    assert torch.equal(clip, transform(frames, np.random.default_rng(seed)))
    drawn = transform.draw(np.random.default_rng(seed), frames.shape)
    inside = [(box, source) for box in drawn.crop.boxes(2)] + ([(drawn.erase.box, target)] if drawn.erase else [])
    for box, (height, width) in inside:
        assert 0 <= box.top < box.top + box.height <= height
        assert 0 <= box.left < box.left + box.width <= width
    erased = drawn.erase.box.height * drawn.erase.box.width if drawn.erase else 0
    assert drawn.figures(*source, target)["erased"] == pytest.approx(erased / (target[0] * target[1]))


@settings(max_examples=20, deadline=None)
@given(source=shapes, target=shapes, seed=seeds)
def test_a_flip_mirrors_and_fast_is_within_a_level_of_exact(source: Shape, target: Shape, seed: int) -> None:
    transform, frames = train(AugConfig(motion_shift=False), target, "uint8"), frames_of(source, seed)
    drawn = transform.draw(np.random.default_rng(seed), frames.shape)
    plain, mirrored = (
        transform.apply(frames, dataclasses.replace(drawn, flip=type(drawn.flip)(flipped))) for flipped in (False, True)
    )
    assert torch.equal(mirrored, plain.flip(-1))
    exact, fast = (
        RandomResizedCrop(target, precision=precision).apply(torch.from_numpy(frames), drawn.crop).float()
        for precision in ("exact", "fast")
    )
    assert (exact - fast).abs().max() < 1.1  # the two passes round to whole levels, by half a level each


@pytest.mark.parametrize("size", [16, (16, 16), [16, 16]])
def test_equal_sides_are_a_square(size: object) -> None:
    frames = frames_of((30, 41))
    for config in (AugConfig(), AugConfig(eval_views=3)):
        for of in (VideoTransformPipeline.get_train_transform, VideoTransformPipeline.get_eval_transform):
            square, given_both = (of(VideoTransformPipeline(config, one)) for one in (16, size))
            assert torch.equal(square(frames, np.random.default_rng(0)), given_both(frames, np.random.default_rng(0)))


def test_crops_do_not_depend_on_the_clips_shape() -> None:
    boxes = {
        tuple(RandomResizedCrop(size).draw(np.random.default_rng(seed), (1, 90, 160, 3)).start for seed in range(20))
        for size in (64, (32, 128), (128, 32))
    }
    assert len(boxes) == 1


@settings(max_examples=100, deadline=None)
@given(frame=st.tuples(st.integers(1, 5000), st.integers(1, 5000)), target=shapes)
@example(frame=(40, 56), target=(36, 72))
def test_a_frame_covers_the_target_in_its_proportions(frame: Shape, target: Shape) -> None:
    height, width = covering_size(frame, target)
    assert height >= target[0] and width >= target[1]
    assert height == target[0] or width == target[1]
    scale = max(target[0] / frame[0], target[1] / frame[1])
    assert abs(height - frame[0] * scale) < 1.001 and abs(width - frame[1] * scale) < 1.001


@settings(max_examples=30, deadline=None)
@given(source=shapes, target=shapes, views=st.integers(1, 3), output=st.sampled_from(["float32", "uint8"]))
@example(source=THIN, target=(1, 19), views=1, output="float32")
@example(source=TALL, target=WIDE, views=3, output="uint8")
def test_evaluation_gives_the_asked_height_and_width(source: Shape, target: Shape, views: int, output: str) -> None:
    pipeline = VideoTransformPipeline(AugConfig(eval_views=views), target, output=output)
    clip = pipeline.get_eval_transform()(frames_of(source))
    assert clip.shape == ((views,) if views > 1 else ()) + (3, 2, *target)
    assert clip.dtype == getattr(torch, output)


def test_the_centre_has_the_margins_of_a_square() -> None:
    frames = torch.from_numpy(frames_of((32, 64)))  # 256/224 of 28 x 56: nothing is resized
    assert torch.equal(ResizeCenterCrop((28, 56)).apply(frames), frames[:, 2:30, 4:60])


@pytest.mark.parametrize(
    ("source", "starts"), [((16, 48), [(0, 0), (0, 8), (0, 16)]), ((30, 32), [(0, 0), (7, 0), (14, 0)])]
)
def test_views_run_along_the_side_that_is_left_over(source: Shape, starts: list[Shape]) -> None:
    frames = torch.from_numpy(frames_of(source))
    crops = MultiViewCrop((16, 32), 3).apply(frames)
    for crop, (top, left) in zip(crops, starts, strict=True):
        assert torch.equal(crop, frames[:, top : top + 16, left : left + 32])


@pytest.mark.parametrize("target", [(1, 9), (8, 3)])
def test_whole_frames_are_squeezed(target: Shape) -> None:
    assert Squeeze(target)(frames_of((5, 7))).shape == (2, 3, *target)


@pytest.mark.parametrize(("size", "message"), [
    ((16,), r"img_size must be one number or \[height, width\] \(got \(16,\)\)"),
    ("16", r"img_size must be one number or \[height, width\] \(got '16'\)"),
    ((16, 0), r"img_size must be >= 1 \(got \(16, 0\)\)"),
])  # fmt: skip
def test_what_is_no_size_is_refused(size: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VideoTransformPipeline(img_size=size)  # type: ignore[arg-type]
