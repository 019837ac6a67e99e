from __future__ import annotations

import pickle
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vjepa_pipe.config import AugConfig, ConfigError
from vjepa_pipe.transforms import (
    AugmentOp,
    Box,
    ClipParams,
    CropParams,
    FlipParams,
    Normalize,
    RandAugment,
    RandAugmentParams,
    VideoTransformPipeline,
    as_frames,
)
from vjepa_pipe.transforms.train import TrainTransform

EVERYTHING = AugConfig(auto_augment=True, rand_augment_n=4, random_erasing=1.0)
WHOLE = CropParams(Box(0, 0, 20, 20))


def clip_of(frames: int = 4, height: int = 30, width: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def train(config: AugConfig | None = None, size: int = 16, **extra: object) -> TrainTransform:
    return VideoTransformPipeline(config, size, **extra).get_train_transform()


class AddOne:
    """A user's own transform: remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[torch.Tensor] = []

    def __call__(self, clip: torch.Tensor) -> torch.Tensor:
        self.given.append(clip.clone())
        return clip + 1


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)),
    config=st.builds(
        AugConfig,
        horizontal_flip=st.booleans(),
        motion_shift=st.booleans(),
        auto_augment=st.booleans(),
        random_erasing=st.sampled_from([0.0, 1.0]),
        rand_augment_order=st.sampled_from(["after_crop", "before_crop"]),
    ),
)
def test_any_clip_gives_one_tensor_per_key(seed: int, shape: tuple[int, int, int], config: AugConfig) -> None:
    transform, frames = train(config), clip_of(*shape, seed=seed)
    before = frames.copy()
    clip = transform(frames, np.random.default_rng(seed))
    assert clip.shape == (3, shape[0], 16, 16)
    assert clip.dtype == torch.float32 and clip.is_contiguous() and torch.isfinite(clip).all()
    assert torch.equal(clip, transform(torch.from_numpy(frames), np.random.default_rng(seed)))
    assert np.array_equal(frames, before)


def test_calling_is_drawing_then_applying_and_applying_is_pure() -> None:
    transform, frames = train(EVERYTHING), clip_of()
    params = transform.draw(np.random.default_rng(7), frames.shape)
    assert params.rand_augment is not None and params.erase is not None
    clip = transform(frames, np.random.default_rng(7))
    for _ in range(2):
        assert torch.equal(transform.apply(frames, params), clip)


def test_seeds_matter_and_no_seed_is_a_fresh_one() -> None:
    transform, frames = train(EVERYTHING), clip_of()
    clips = [transform(frames, np.random.default_rng(seed)) for seed in range(4)]
    clips += [transform(frames), transform(frames)]
    assert len({clip.numpy().tobytes() for clip in clips}) == len(clips)


def test_global_random_states_are_neither_read_nor_moved() -> None:
    transform, frames = train(EVERYTHING), clip_of()
    clips = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        states = random.getstate(), str(np.random.get_state()), torch.get_rng_state()
        clips.append(transform(frames, np.random.default_rng(0)))
        assert random.getstate() == states[0]
        assert str(np.random.get_state()) == states[1]
        assert torch.equal(torch.get_rng_state(), states[2])
    assert torch.equal(*clips)


@pytest.mark.parametrize("config", [None, EVERYTHING, AugConfig(eval_views=3)])
def test_transforms_survive_pickling(config: AugConfig | None) -> None:
    pipeline = VideoTransformPipeline(config, 16)
    frames = clip_of()
    for transform in (pipeline.get_train_transform(), pipeline.get_eval_transform()):
        copy = pickle.loads(pickle.dumps(transform))
        assert copy == transform
        assert torch.equal(copy(frames, np.random.default_rng(3)), transform(frames, np.random.default_rng(3)))


def test_what_is_switched_off_does_not_happen() -> None:
    transform = train(AugConfig(horizontal_flip=False, motion_shift=False))
    rng = np.random.default_rng(0)
    for _ in range(200):
        params = transform.draw(rng, (4, 30, 40, 3))
        assert params == ClipParams(CropParams(params.crop.start), FlipParams(False))


def test_what_is_switched_on_happens() -> None:
    rng = np.random.default_rng(0)
    drawn = [train(EVERYTHING).draw(rng, (4, 30, 40, 3)) for _ in range(200)]
    assert {params.flip.mirrored for params in drawn} == {True, False}
    assert any(params.crop.end not in (None, params.crop.start) for params in drawn)
    assert all(params.rand_augment is not None and params.erase is not None for params in drawn)


def test_default_policy_is_the_published_one_with_its_own_number_and_strength() -> None:
    assert train(AugConfig(auto_augment=True)).rand_augment == RandAugment.from_string("rand-m9-n2-mstd0.5-inc1")
    string = "rand-m7-n4-mstd0.5-inc1"
    assert train(AugConfig(auto_augment=True, rand_augment=string)).rand_augment == RandAugment.from_string(string)
    assert train(AugConfig(rand_augment=string)).rand_augment is None


def test_augmenting_before_the_crop_works_on_whole_frames() -> None:
    ops = RandAugmentParams((AugmentOp("Rotate", 7.0, False), AugmentOp("ColorIncreasing", 5.0, True)))
    params = ClipParams(CropParams(Box(3, 5, 20, 22)), FlipParams(True), ops)
    frames = as_frames(clip_of())
    first = train(AugConfig(auto_augment=True, rand_augment_order="before_crop")).apply(frames, params)
    by_hand = train().apply(RandAugment().apply(frames, ops), ClipParams(params.crop, params.flip))
    assert torch.equal(first, by_hand)
    assert not torch.equal(first, train(AugConfig(auto_augment=True)).apply(frames, params))


def test_augmenting_after_the_crop_works_on_the_cropped_clip() -> None:
    params = ClipParams(WHOLE, FlipParams(False), RandAugmentParams((AugmentOp("TranslateXRel", 10.0, False),)))
    frames = clip_of(2, 20, 20)
    unit = AugConfig(auto_augment=True, normalize_mean=(0.0, 0.0, 0.0), normalize_std=(1 / 255, 1 / 255, 1 / 255))
    clip = train(unit, size=20).apply(frames, params)
    # 45 % of 20 columns are 9: the rest moves left, and grey comes in.
    torch.testing.assert_close(clip[..., :11], torch.from_numpy(frames).permute(3, 0, 1, 2)[..., 9:].float())
    torch.testing.assert_close(clip[..., 11:], torch.full((3, 2, 20, 9), 128.0))


def test_a_clip_without_operations_keeps_its_fractions() -> None:
    params = ClipParams(CropParams(Box(0, 0, 29, 31)), FlipParams(False), RandAugmentParams(()))
    frames = clip_of()
    assert torch.equal(train(EVERYTHING).apply(frames, params), train().apply(frames, params))


def test_erasing_leaves_the_rest_of_the_clip_as_it_was() -> None:
    transform, frames = train(AugConfig(random_erasing=1.0)), clip_of()
    params = transform.draw(np.random.default_rng(5), frames.shape)
    assert params.erase is not None
    top, left, height, width = params.erase.box
    clip = transform.apply(frames, params)
    plain = transform.apply(frames, ClipParams(params.crop, params.flip))
    changed = (clip != plain).any(0).any(0)
    assert changed[top : top + height, left : left + width].all()
    assert changed.sum() == height * width


def test_extra_transforms_get_the_flipped_clip_as_uint8() -> None:
    mine, frames = AddOne(), clip_of(2, 20, 20) // 2
    clip = train(AugConfig(), 20, extra_transforms=[mine]).apply(frames, ClipParams(WHOLE, FlipParams(True)))
    seen = torch.from_numpy(frames).permute(0, 3, 1, 2).flip(-1)
    assert torch.equal(mine.given[0], seen)
    config = AugConfig()
    expected = Normalize(config.normalize_mean, config.normalize_std).apply((seen + 1).transpose(0, 1).float())
    torch.testing.assert_close(clip, expected)


def test_extra_transforms_come_before_randaugment() -> None:
    mine, frames = AddOne(), clip_of(1, 20, 20)
    params = ClipParams(WHOLE, FlipParams(False), RandAugmentParams((AugmentOp("Invert", 5.0, False),)))
    train(AugConfig(auto_augment=True, extra_transforms=[mine]), 20).apply(frames, params)
    assert torch.equal(mine.given[0], torch.from_numpy(frames).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("broken", "got"),
    [
        (torch.Tensor.float, r"torch.float32 \[4, 3, 16, 16\]"),
        (lambda clip: clip[:2], r"torch.uint8 \[2, "),
        (list, "list"),
    ],
)
def test_an_extra_transform_that_returns_something_else_is_named(broken: object, got: str) -> None:
    with pytest.raises(ValueError, match=rf"must return uint8 \[4, 3, 16, 16\] \(got {got}"):
        train(AugConfig(), extra_transforms=[broken])(clip_of())


def test_nodes_are_not_transforms() -> None:
    config = AugConfig(extra_transforms=[{"_target_": "torchvision.transforms.v2.GaussianBlur"}])
    with pytest.raises(TypeError, match=r"data_aug.extra_transforms\[0\] must be callable \(got dict\)"):
        VideoTransformPipeline(config)
    VideoTransformPipeline(config, extra_transforms=[AddOne()])


def test_evaluation_is_deterministic_and_ignores_the_training_settings() -> None:
    frames = clip_of(3, 50, 37)
    plain, other = (VideoTransformPipeline(c, 16).get_eval_transform() for c in (None, EVERYTHING))
    clip = plain(frames)
    assert clip.shape == (3, 3, 16, 16) and clip.is_contiguous()
    assert torch.equal(clip, plain(frames, np.random.default_rng(1)))
    assert torch.equal(clip, other(torch.from_numpy(frames)))


@settings(max_examples=40)
@given(shape=st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)), views=st.integers(1, 4))
def test_any_clip_can_be_evaluated(shape: tuple[int, int, int], views: int) -> None:
    clip = VideoTransformPipeline(AugConfig(eval_views=views), 12).get_eval_transform()(clip_of(*shape))
    assert clip.shape == ((views,) if views > 1 else ()) + (3, shape[0], 12, 12)
    assert torch.isfinite(clip).all()


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"keep_geometry": True}, r"data_aug.horizontal_flip must be false with keep_geometry"),
        ({"crop_scale": (1.0, 0.3)}, r"data_aug.crop_scale must be in ascending order \(got \[1.0, 0.3\]\)"),
        ({"rand_augment_order": "during"}, r"data_aug.rand_augment_order must be one of after_crop, before_crop"),
        ({"rand_augment": "rand-p1"}, r"data_aug.rand_augment has no part 'p1'"),
        ({"normalize_std": (0.2, 0.0, 0.2)}, r"data_aug.normalize_std\[1\] must be > 0"),
        ({"eval_views": 0}, r"data_aug.eval_views must be >= 1 \(got 0\)"),
    ],
)
def test_a_wrong_config_is_refused_at_once(settings_: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VideoTransformPipeline(AugConfig(**settings_))


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"img_size must be >= 1 \(got 0\)"):
        VideoTransformPipeline(img_size=0)


def test_robot_video_without_a_flip_is_accepted() -> None:
    assert train(AugConfig(keep_geometry=True, horizontal_flip=False))(clip_of()).shape == (3, 4, 16, 16)
