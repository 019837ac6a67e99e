"""Multi-block masks: invariants, balance over time, and settings that cannot work."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from vjepa_pipe.config.mask import MultiBlockConfig
from vjepa_pipe.config.mask_sizes import block_size
from vjepa_pipe.masks import MultiBlock3D

GRID = (8, 16, 16)
EIGHT_SMALL = MultiBlockConfig(spatial_scale=(0.15, 0.15), num_blocks=8)
TWO_LARGE = MultiBlockConfig(spatial_scale=(0.7, 0.7), num_blocks=2)


def generators(clips, seed=0):
    return [np.random.default_rng([seed, clip]) for clip in range(clips)]


def batch(masks, step, clips=24):
    rngs = generators(clips, step)
    size = masks.draw_size(step)
    grids = [masks.draw_clip(size, rng) for rng in rngs]
    return grids, *masks.collate(grids, rngs)


def pairs(low, high):
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(lambda pair: tuple(sorted(pair)))


configs = st.builds(
    MultiBlockConfig,
    spatial_scale=pairs(0.05, 0.9),
    temporal_scale=pairs(0.05, 1.0),
    aspect_ratio=pairs(0.3, 3.0),
    num_blocks=st.integers(1, 4),
    max_temporal_keep=st.floats(0.1, 1.0),
    max_keep=st.none() | st.integers(1, 100),
    full_complement=st.booleans(),
    pred_full_complement=st.booleans(),
    inv_block=st.booleans(),
)
grids_of_tokens = st.tuples(st.integers(1, 6), st.integers(2, 8), st.integers(2, 8))


@given(
    config=configs,
    grid=grids_of_tokens,
    convention=st.sampled_from(["strict", "reference"]),
    step=st.integers(0, 10**6),
)
@settings(max_examples=300)
def test_masks_are_sorted_in_range_disjoint_and_covering(config, grid, convention, step):
    try:
        masks = MultiBlock3D(config, grid, convention)
    except ValueError:
        assume(False)
    drawn, enc, pred = batch(masks, step, clips=3)
    for indices in (enc, pred):
        assert indices.dtype == torch.int64
        assert indices.shape[0] == 3
        assert indices.shape[1] >= 1
        assert (indices.diff(dim=1) > 0).all()
        assert indices.min() >= 0
        assert indices.max() < masks.num_tokens
    seen, predicted = (pred, enc) if config.inv_block else (enc, pred)
    for grid_drawn, seen_row, predicted_row in zip(drawn, seen.tolist(), predicted.tolist(), strict=True):
        assert not set(seen_row) & set(predicted_row)
        visible = set(np.flatnonzero(grid_drawn).tolist())
        if config.full_complement or config.pred_full_complement:
            assert len(seen_row) + len(predicted_row) == masks.num_tokens
        if config.full_complement or not config.pred_full_complement:
            assert set(seen_row) <= visible
            assert len(seen_row) <= (config.max_keep or masks.num_tokens)
        if not config.full_complement:
            assert not set(predicted_row) & visible


@given(config=configs, grid=grids_of_tokens, step=st.integers(0, 10**6))
@settings(max_examples=200)
def test_blocks_have_the_asked_size_and_lie_inside(config, grid, step):
    try:
        masks = MultiBlock3D(config, grid, "reference")
    except ValueError:
        assume(False)
    size = masks.draw_size(step)
    assert all(1 <= side <= most for side, most in zip(size, grid, strict=True))
    assert size != grid
    (positions,) = masks.draw_positions(size, np.random.default_rng(step))
    assert positions.shape == (config.num_blocks, 3)
    for top, left, start in positions.tolist():
        hidden = ~masks.mask(size, [(top, left, start)])
        context = masks._context_slices
        expected = max(0, min(start + size[0], context) - start) * size[1] * size[2]
        assert hidden[:context].sum() == expected
        assert hidden[context:].all()


def test_blocks_lie_everywhere_equally_often():
    masks = MultiBlock3D(MultiBlockConfig(temporal_scale=(0.5, 0.5), num_blocks=3000), GRID, "strict")
    size = masks.draw_size(0)
    (positions,) = masks.draw_positions(size, np.random.default_rng(0))
    for axis, places in enumerate((17 - size[1], 17 - size[2], 9 - size[0])):
        counts = np.bincount(positions[:, axis], minlength=places)
        assert counts.size == places
        chi_square = ((counts - 3000 / places) ** 2 / (3000 / places)).sum()
        assert chi_square < places + 4 * (2 * places) ** 0.5


def test_the_same_step_and_generators_give_the_same_masks():
    masks = MultiBlock3D(EIGHT_SMALL, GRID, "strict")
    first, second = batch(masks, 7), batch(masks, 7)
    assert torch.equal(first[1], second[1])
    assert torch.equal(first[2], second[2])
    assert not np.array_equal(batch(masks, 8)[0], first[0])


def test_a_clips_mask_does_not_depend_on_the_other_clips():
    masks = MultiBlock3D(EIGHT_SMALL, GRID, "strict")
    assert np.array_equal(batch(masks, 3, clips=24)[0][:4], batch(masks, 3, clips=4)[0])


def tokens_per_slice(config, convention, clips, batches=300):
    """Mean tokens kept in each time slice: [T] of the encoder's and [T] of the predictor's."""
    masks = MultiBlock3D(config, GRID, convention)
    totals = np.zeros((2, GRID[0]))
    for step in range(batches):
        for row, indices in enumerate(batch(masks, step, clips)[1:]):
            totals[row] += np.bincount(indices.numpy().ravel() // 256, minlength=GRID[0]) / clips
    return totals / batches


@pytest.mark.parametrize("config", [EIGHT_SMALL, TWO_LARGE])
def test_strict_favours_no_time_slice(config):
    for kept in tokens_per_slice(config, "strict", clips=24, batches=100):
        assert kept.max() - kept.min() < 0.02 * kept.mean()


@pytest.mark.parametrize(
    ("config", "enc", "pred"),
    [
        (EIGHT_SMALL, [98.7, 98.7, 98.3, 91.6, 65.8, 32.3, 12.1, 4.2], [157, 157, 157, 157, 152, 110, 45, 12]),
        (TWO_LARGE, [48.7, 42.0, 19.9, 9.4, 3.8, 2.4, 1.7, 1.7], [207, 207, 207, 207, 207, 205, 147, 40]),
    ],
)
def test_reference_drops_the_latest_tokens_as_published(config, enc, pred):
    # Means measured on the published code, released recipe, 24 clips; block sizes differ by sampling.
    kept_enc, kept_pred = tokens_per_slice(config, "reference", clips=24)
    assert np.abs(kept_enc - enc).max() < 4
    assert np.abs(kept_pred - pred).max() < 12
    assert kept_enc[-1] < 0.1 * kept_enc[0]


@pytest.mark.parametrize(
    ("config", "enc", "pred"), [(EIGHT_SMALL, 101.3, 154.7), (TWO_LARGE, 50.3, 205.7)], ids=["eight", "two"]
)
def test_one_clip_is_never_cut(config, enc, pred):
    for convention in ("strict", "reference"):
        kept_enc, kept_pred = tokens_per_slice(config, convention, clips=1)
        assert (kept_enc == kept_enc[0]).all()
        assert kept_enc[0] + kept_pred[0] == pytest.approx(256)
        assert kept_enc[0] == pytest.approx(enc, abs=4)
        assert kept_pred[0] == pytest.approx(pred, abs=4)


def test_an_empty_context_is_drawn_again_but_not_for_ever():
    # Blocks of 3 x 4 on 4 x 4 places leave a row free only when all of them agree.
    config = MultiBlockConfig(spatial_scale=(0.75, 0.75), aspect_ratio=(0.75, 0.75), num_blocks=5)
    masks = MultiBlock3D(config, (2, 4, 4), "strict")
    assert masks.draw_size(0) == (2, 3, 4)
    assert all(masks.draw_clip((2, 3, 4), rng).sum() == 8 for rng in generators(50))
    config.num_blocks = 60
    with pytest.raises(
        RuntimeError, match=re.escape("mask.num_blocks=60 blocks of (2, 3, 4) covered all (2, 4, 4) tokens")
    ):
        masks.draw_clip((2, 3, 4), np.random.default_rng(0))


def build(grid=GRID, convention="strict", **settings):
    return MultiBlock3D(MultiBlockConfig(**settings), grid, convention)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"spatial_scale": (1.0, 1.0)},
            "mask.spatial_scale or mask.temporal_scale must leave tokens for the encoder "
            "(got [1.0, 1.0] and [1.0, 1.0]: one block can cover all 8 x 16 x 16 tokens)",
        ),
        # 255 of 256 places round to 16 x 16, though the scale never reaches 1.
        ({"spatial_scale": (0.15, 1.0)}, "one block can cover all 8 x 16 x 16 tokens"),
        ({"grid": (1, 16, 16), "spatial_scale": (1.0, 1.0), "temporal_scale": (0.1, 0.1)}, "can cover all 1 x 16 x 16"),
        (
            {"spatial_scale": (0.003, 0.15)},
            "mask.spatial_scale must give blocks of at least one token for every mask.aspect_ratio "
            "(got [0.003, 0.15] and [0.75, 1.5]: a block can be 0 tokens high on a grid of 8 x 16 x 16 tokens)",
        ),
        ({"spatial_scale": (0.004, 0.15), "aspect_ratio": (1.0, 9.0)}, "a block can be 0 tokens wide"),
        ({"max_temporal_keep": 0.1}, "mask.max_temporal_keep must leave at least one of 8 time slices (got 0.1)"),
        (
            {"full_complement": True, "pred_full_complement": True},
            "mask.full_complement and mask.pred_full_complement must not both be true",
        ),
        (
            {"grid": (0, 16, 16)},
            "grid must hold at least one token along time, height and width (got (0, 16, 16)): "
            "frames_per_clip must be >= mask.tubelet_size and img_size >= mask.patch_size",
        ),
        ({"convention": "published"}, "mask.convention must be one of strict, reference (got 'published')"),
    ],
)
def test_settings_that_cannot_work_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"spatial_scale": (1.0, 1.0), "temporal_scale": (0.5, 0.5)},  # whole frames, but not the whole clip
        {"spatial_scale": (0.15, 1.0), "temporal_scale": (0.5, 1.0)},  # int(8 * .9999) is 7 slices
        {"spatial_scale": (0.15, 0.9), "aspect_ratio": (1.0, 1.0)},  # at most 15 x 15 places
        {"spatial_scale": (0.004, 0.15), "aspect_ratio": (1.0, 1.0)},  # blocks of one token
        {"max_keep": 10**6},
        {"max_temporal_keep": 0.1, "convention": "reference"},  # published: one slice at least
        {"full_complement": True, "pred_full_complement": True, "convention": "reference"},
    ],
)
def test_unusual_settings_that_work_are_not_refused(arguments):
    # One block, so that no draw is hopeless.
    masks = build(num_blocks=1, **arguments)
    for step in range(20):
        _, enc, pred = batch(masks, step, clips=2)
        assert enc.shape[1] >= 1
        assert pred.shape[1] >= 1


def test_blocks_that_can_cover_everything_are_found_exactly():
    # Trying every draw of a coarse grid never finds a full block where construction allows none.
    for scale in np.linspace(0.7, 1.0, 13):
        for aspect in [(1.0, 1.0), (0.9, 1.2), (0.75, 1.5), (1.1, 1.3)]:
            config = MultiBlockConfig(spatial_scale=(0.5, scale), aspect_ratio=aspect)
            try:
                masks = MultiBlock3D(config, (2, 6, 6), "strict")
            except ValueError as error:
                assert "can cover all" in str(error)
                areas = [int(36 * scale), int(36 * (0.5 + (scale - 0.5) * (1 - 2**-24)))]
                ratios = np.linspace(*aspect, 2001)
                assert any(round((a * r) ** 0.5) >= 6 and round((a / r) ** 0.5) >= 6 for a in areas for r in ratios)
            else:
                assert all(masks.draw_size(seed)[1:] != (6, 6) for seed in range(200))


def test_collating_nothing_is_refused():
    masks = build()
    with pytest.raises(ValueError, match=re.escape("grids and rngs must have one entry per clip (got 0 and 0)")):
        masks.collate([], [])
    with pytest.raises(ValueError, match=re.escape("grids and rngs must have one entry per clip (got 1 and 2)")):
        masks.collate([np.ones(GRID, dtype=bool)], generators(2))
    with pytest.raises(
        ValueError, match=re.escape("clip 1 of the batch must have at least one token in each mask (got 0)")
    ):
        masks.collate([masks.draw_clip((8, 4, 4), np.random.default_rng(0)), np.zeros(GRID, dtype=bool)], generators(2))


@given(
    scale=st.floats(0.1, 0.9),
    aspect=st.floats(0.5, 2.0),
    grid=st.tuples(st.just(2), st.integers(1, 40), st.integers(1, 40)),
)
@settings(max_examples=100)
@example(scale=0.7, aspect=1.0, grid=(8, 8, 32))
def test_strict_blocks_keep_their_share_of_a_frame_that_is_not_square(scale, aspect, grid):
    config = MultiBlockConfig(spatial_scale=(scale, scale), aspect_ratio=(aspect, aspect))
    (_, *strict), (_, *published) = (block_size(config, grid, (0, 0, 0), one) for one in ("strict", "reference"))
    height, width = grid[1:]
    assert 0 <= strict[0] <= height and 0 <= strict[1] <= width
    if height == width:
        assert strict == published
        return
    area = int(height * width * scale)
    # Each side is rounded, by half a token at most.
    assert abs(strict[0] * strict[1] - area) <= 0.5 * (strict[0] + strict[1]) + 0.25
    if published[0] < height and published[1] < width:
        assert strict == published


def test_a_block_wider_than_a_strip_is_cut_as_published_or_lengthened():
    config, grid = MultiBlockConfig(spatial_scale=(0.7, 0.7)), (8, 8, 32)
    sizes = {one: block_size(config, grid, (0, 0, 1 / 3), one) for one in ("strict", "reference")}
    assert sizes == {"strict": (8, 8, 22), "reference": (8, 8, 13)}
