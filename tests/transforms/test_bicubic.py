"""Clips are moved and recoloured as Pillow does it to each frame, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from vjepa_pipe.transforms.augment_ops import IMAGE_OPS
from vjepa_pipe.transforms.bicubic import UInt8, move_columns, move_rows, transform
from vjepa_pipe.transforms.clip_ops import augment_clip, same_as_pillow

CLIPS = st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 24), st.just(3)).flatmap(
    lambda shape: st.one_of(
        arrays.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 127, 128, 254, 255])),
        st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).integers(0, 256, shape, np.uint8)),
    )
)
# Steps that end on whole pixels, or on either side of one by less than single precision can tell.
AMOUNTS = st.one_of(st.floats(-30, 30), st.sampled_from([0.0, 1e-9, -1e-9, 0.25, -0.5, 2.0, 3 - 1e-12]))


@pytest.fixture(autouse=True)
def _pillow_rounds_alike() -> None:
    if not same_as_pillow():
        pytest.skip("Pillow rounds otherwise here, and is used instead")


@settings(max_examples=150)
@given(clip=CLIPS, slope=AMOUNTS, shift=AMOUNTS)
def test_shears_and_shifts_are_those_of_pillow(clip: UInt8, slope: float, shift: float) -> None:
    rows, columns = (1, slope, shift, 0, 1, 0), (1, 0, 0, slope, 1, shift)
    assert np.array_equal(move_rows(clip, slope, shift), [np.asarray(transform(frame, rows)) for frame in clip])
    assert np.array_equal(move_columns(clip, slope, shift), [np.asarray(transform(frame, columns)) for frame in clip])


@pytest.mark.parametrize("name", sorted(IMAGE_OPS))
@settings(max_examples=15)
@given(clip=CLIPS, level=st.floats(0, 10), negate=st.booleans())
def test_an_operation_on_a_clip_is_that_on_each_frame(name: str, clip: UInt8, level: float, negate: bool) -> None:
    given_clip = clip.copy()
    found = augment_clip(clip, name, level, negate)
    expected = [np.asarray(IMAGE_OPS[name](Image.fromarray(frame), level, negate)) for frame in given_clip]
    assert np.array_equal(found, expected) and np.array_equal(clip, given_clip)
