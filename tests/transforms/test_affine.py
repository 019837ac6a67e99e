"""Clips are turned, sheared and shifted at once as Pillow does it to each frame, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from vjepa_pipe.transforms import affine as module
from vjepa_pipe.transforms.affine import affine
from vjepa_pipe.transforms.augment_ops import MATRICES, matrix_of
from vjepa_pipe.transforms.bicubic import UInt8, transform
from vjepa_pipe.transforms.clip_ops import same_as_pillow

CLIPS = st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 24), st.just(3)).flatmap(
    lambda shape: st.one_of(
        arrays.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 127, 128, 254, 255])),
        st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).integers(0, 256, shape, np.uint8)),
    )
)
FACTORS = st.one_of(st.floats(-2, 2), st.sampled_from([0.0, 1.0, -1.0, 0.5]))
SHIFTS = st.one_of(st.floats(-30, 30), st.sampled_from([0.0, 0.5, -3.0, 3 - 1e-12]))
MATRIX = st.tuples(FACTORS, FACTORS, SHIFTS, FACTORS, FACTORS, SHIFTS)


@pytest.fixture(autouse=True)
def _pillow_rounds_alike() -> None:
    if not same_as_pillow():
        pytest.skip("Pillow rounds otherwise here, and is used instead")


@settings(max_examples=100)
@given(clip=CLIPS, matrix=MATRIX)
def test_a_transform_of_a_clip_is_that_of_each_frame(clip: UInt8, matrix: tuple[float, ...]) -> None:
    given_clip = clip.copy()
    assert np.array_equal(affine(clip, matrix), [np.asarray(transform(frame, matrix)) for frame in given_clip])
    assert np.array_equal(clip, given_clip)


@pytest.mark.parametrize("degrees", [0.0, 1e-9, 21.3, -30.0])
def test_a_rotation_is_that_of_image_rotate(degrees: float) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (31, 45, 3), np.uint8)
    matrix = MATRICES["Rotate"][1](degrees, 45, 31)
    turned = Image.fromarray(frame).rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=(128,) * 3)
    assert np.array_equal(affine(frame[None], matrix)[0], np.asarray(turned))


def test_a_large_clip_is_done_some_frames_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = np.random.default_rng(0).integers(0, 256, (5, 40, 60, 3), np.uint8)
    matrix = matrix_of("Rotate", 8.0, False, 60, 40)
    whole = affine(clip, matrix)
    monkeypatch.setattr(module, "TABLE_SIZE", 2 * clip[0].size)
    monkeypatch.setattr(module, "BAND", 100)
    assert np.array_equal(affine(clip, matrix), whole)
