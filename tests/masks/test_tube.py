"""Tube masks."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from vjepa_pipe.config.mask import TubeConfig
from vjepa_pipe.masks import Tube


@given(
    ratio=st.floats(0.01, 0.99),
    grid=st.tuples(st.integers(1, 8), st.integers(1, 16), st.integers(1, 16)),
    convention=st.sampled_from(["strict", "reference"]),
    seed=st.integers(0, 2**32),
)
def test_the_same_places_are_hidden_in_every_slice(ratio, grid, convention, seed):
    try:
        masks = Tube(TubeConfig(ratio), grid, convention)
    except ValueError:
        assume(False)
    rngs = [np.random.default_rng([seed, clip]) for clip in range(3)]
    grids = [masks.draw_clip(masks.draw_size(seed), rng) for rng in rngs]
    places = grid[1] * grid[2]
    for drawn in grids:
        assert drawn.shape == grid
        assert (drawn == drawn[0]).all()
        # In floating point a share just below a whole number of places can round to it.
        assert abs(drawn[0].sum() - places * (1 - ratio)) < 1 + 1e-9
    enc, pred = masks.collate(grids, rngs)
    for row, drawn in enumerate(grids):
        # No clip has more tokens than another, so nothing is cut.
        assert enc[row].tolist() == np.flatnonzero(drawn).tolist()
        assert pred[row].tolist() == np.flatnonzero(~drawn).tolist()
    assert enc.dtype == pred.dtype == torch.int64


def test_strict_reads_the_ratio_as_written():
    rng = np.random.default_rng(0)
    seen = {}
    for convention in ("strict", "reference"):
        masks = Tube(TubeConfig(0.9), (1, 10, 10), convention)
        seen[convention] = int(masks.draw_clip(masks.draw_size(0), rng).sum())
    assert seen == {"strict": 10, "reference": 9}


def test_every_place_is_seen_equally_often():
    masks = Tube(TubeConfig(0.75), (2, 4, 4), "strict")
    total = sum(masks.draw_clip(masks.draw_size(0), np.random.default_rng(seed))[0].astype(int) for seed in range(2000))
    assert total.sum() == 2000 * 4
    assert np.abs(total - 500).max() < 5 * (2000 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize(
    ("ratio", "grid", "message"),
    [
        (
            0.99,
            (8, 4, 4),
            "mask.ratio must leave some places of a frame and hide some (got 0.99, which leaves 0 of 16)",
        ),
        (0.5, (8, 1, 1), "(got 0.5, which leaves 0 of 1)"),
        (0.9, (8, 4, 0), "grid must hold at least one token along time, height and width (got (8, 4, 0))"),
    ],
)
def test_settings_that_cannot_work_are_refused(ratio, grid, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Tube(TubeConfig(ratio), grid, "strict")


def test_a_ratio_lost_in_floating_point_is_refused():
    with pytest.raises(ValueError, match=re.escape("(got 1e-17, which leaves 16 of 16)")):
        Tube(TubeConfig(1e-17), (8, 4, 4), "reference")
