from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vjepa_pipe.transforms import Box, EraseParams, RandomErasing

SHAPE = (4, 32, 40, 3)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), height=st.integers(2, 200), width=st.integers(2, 200))
def test_a_box_is_strictly_inside_and_within_bounds(seed: int, height: int, width: int) -> None:
    erasing = RandomErasing(1.0)
    params = erasing.draw(np.random.default_rng(seed), (4, height, width, 3))
    assert params == erasing.draw(np.random.default_rng(seed), (4, height, width, 3))
    if params is None:
        assert min(height, width) < 8
        return
    top, left, box_height, box_width = params.box
    assert 0 < box_height < height and 0 < box_width < width
    assert 0 <= top <= height - box_height and 0 <= left <= width - box_width
    assert 0 <= params.seed < 2**64
    # Each side was rounded, so a box stands for sides up to half a pixel away.
    assert (box_height - 0.5) * (box_width - 0.5) <= height * width / 3 + 1e-6
    assert (box_height + 0.5) * (box_width + 0.5) >= height * width * 0.02 - 1e-6
    assert (box_height - 0.5) / (box_width + 0.5) <= 1 / 0.3 + 1e-6
    assert (box_height + 0.5) / (box_width - 0.5) >= 0.3 - 1e-6


def test_noise_is_standard_normal_fresh_in_each_frame_and_only_in_the_box() -> None:
    clip = torch.full((3, 4, 64, 64), 9.0)
    RandomErasing().apply(clip, EraseParams(Box(10, 20, 40, 30), seed=2**64 - 1))
    erased = clip[:, :, 10:50, 20:50]
    assert erased.mean().item() == pytest.approx(0, abs=0.03)
    assert erased.std().item() == pytest.approx(1, abs=0.03)
    assert len({frame.numpy().tobytes() for frame in erased.unbind(1)}) == 4
    assert (clip == 9).sum() == clip.numel() - erased.numel()


def test_noise_depends_on_the_seed_alone() -> None:
    box = Box(1, 2, 3, 4)
    clips = [RandomErasing().apply(torch.zeros(3, 2, 8, 8), EraseParams(box, seed)) for seed in (5, 5, 6)]
    assert torch.equal(clips[0], clips[1])
    assert not torch.equal(clips[0], clips[2])


def test_share_of_erased_clips() -> None:
    rng = np.random.default_rng(1)
    drawn = [RandomErasing(0.25).draw(rng, SHAPE) for _ in range(2000)]
    assert sum(params is not None for params in drawn) == pytest.approx(500, abs=60)
    assert all(RandomErasing(0.0).draw(rng, SHAPE) is None for _ in range(100))


@pytest.mark.parametrize("shape", [(4, 1, 1, 3), (4, 1, 40, 3), (4, 40, 1, 3)])
def test_a_frame_without_room_is_left_alone(shape: tuple) -> None:
    assert RandomErasing(1.0).draw(np.random.default_rng(0), shape) is None


def test_nothing_drawn_changes_nothing() -> None:
    clip = torch.rand(3, 2, 8, 8)
    assert torch.equal(RandomErasing().apply(clip.clone(), None), clip)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"probability": -0.1}, r"random_erasing must be from 0 to 1 \(got -0.1\)"),
        ({"area": (0.5, 0.1)}, r"erased area .* \(got 0.5, 0.1\)"),
        ({"aspect": (0.0, 1.0)}, r"erased aspect .* \(got 0.0, 1.0\)"),
    ],
)
def test_wrong_settings_are_named(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomErasing(**wrong)
