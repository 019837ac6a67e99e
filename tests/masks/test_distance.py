"""Distances of the encoder's tokens to those that are predicted, and the batches that hold them."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loading import loader_of

from vjepa_pipe import ConfigError, MaskCollator, compose
from vjepa_pipe.composition.identity import identity
from vjepa_pipe.loader.identity import fingerprints
from vjepa_pipe.masks import context_distance

TESTS = Path(__file__).parents[1]
GOLDEN = json.loads((TESTS / "golden" / "context_distance.json").read_text())["cases"]
BLOCKS = ["mask=blocks", "+mask.masks={a:{num_blocks:2},b:{temporal_scale:[0.5,0.5],max_keep:5}}"]

ENTRIES = ("masks_enc", "masks_pred", "context_distance")


def measured(enc: torch.Tensor, pred: torch.Tensor, grid: tuple[int, int, int]) -> np.ndarray:
    """Squared distances, pair by pair."""
    here, there = (np.stack(np.unravel_index(part.numpy(), grid), -1) for part in (enc, pred))
    return ((here[:, :, None] - there[:, None]) ** 2).sum(-1).min(-1)


@given(
    grid=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9)).filter(lambda grid: np.prod(grid) > 1),
    clips=st.integers(1, 3),
    predicted=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_distances_are_those_of_all_pairs(grid, clips, predicted, seed):
    rng, tokens = np.random.default_rng(seed), int(np.prod(grid))
    order = torch.from_numpy(rng.permuted(np.tile(np.arange(tokens), (clips, 1)), axis=1))
    count = 1 + int(predicted * (tokens - 2))
    pred, enc = order[:, :count], order[:, count : count + 1 + (tokens - count) // 2]  # some tokens are in neither
    found = context_distance(enc, pred, grid)
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), np.sqrt(measured(enc, pred, grid).astype(np.float32)))


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: str(case["grid"]))
def test_the_published_weights_follow_from_them_as_documented(case):
    (_, section) = (TESTS.parent / "docs" / "trainers.md").read_text().split("\n## V-JEPA 2.1's context loss\n")
    documented = {}
    exec(section.split("```python\n")[1].split("```")[0], documented)
    distance = context_distance(torch.tensor(case["enc"]), torch.tensor(case["pred"]), tuple(case["grid"]))
    offset = case["grid"][-1] // 16 if case["offset_context_loss"] else 1
    published = 1 / torch.tensor(case["distance"])
    # torch's square roots may be off by one in the last place.
    torch.testing.assert_close(documented["context_weights"](distance, offset), published, rtol=4e-7, atol=0)


@pytest.mark.parametrize("mask", [BLOCKS, [*BLOCKS, "mask.convention=reference"], ["mask=tube"]], ids=" ".join)
def test_batches_hold_a_distance_for_each_of_their_own_tokens(mask):
    config = compose(["data=synthetic", *mask, "mask.context_distance=true"]).mask
    samples = [{"video": torch.zeros(3, frames, 64, 96)} for frames in (4, 8, 4, 8, 4)]
    for batch, time in zip(MaskCollator(config, [4, 8])(samples), (2, 4), strict=True):
        assert [part.shape for part in batch["context_distance"]] == [part.shape for part in batch["masks_enc"]]
        for enc, pred, distance in zip(
            *(batch[n] for n in ("masks_enc", "masks_pred", "context_distance")), strict=True
        ):
            assert np.array_equal(distance.square().round().numpy(), measured(enc, pred, (time, 4, 6)))


class Checkered:
    def draw(self, rng, grid):
        return np.indices(grid).sum(0) % 2 == 0


def test_of_a_mask_of_ones_own():
    config = replace(compose(["mask=none"]).mask, context_distance=True)
    batch = MaskCollator(config, 4, own_mask=Checkered())([{"video": torch.zeros(3, 4, 64, 64)}] * 2)
    assert torch.equal(batch["context_distance"][0], torch.ones(2, 16))


def test_through_the_loader(videos_csv, tmp_path):
    experiment = compose([
        "data=csv", f"data.data_paths=[{videos_csv}]", "data.frames_per_clip=4", "data.img_size=64",
        "data.batch_size=2", "data.num_workers=1", *BLOCKS, "mask.context_distance=true",
    ])  # fmt: skip
    with closing(loader_of(experiment, tmp_path)) as loader:
        batch = next(iter(loader))
    for enc, pred, distance in zip(*map(batch.get, ENTRIES), strict=True):
        assert torch.equal(distance, context_distance(enc, pred, (2, 4, 4)))


@pytest.mark.parametrize(("choice", "why"), [("mask=none", "mask=none"), ("data=webvid", "data.output.layout=vlm")])
def test_without_masks_there_is_none(choice, why, tmp_path, monkeypatch):
    monkeypatch.setenv("WEBVID_ROOT", str(tmp_path))
    with pytest.raises(
        ConfigError, match=f"mask.context_distance must be false with {why}: such batches have no masks"
    ):
        compose([choice, "mask.context_distance=true"])


def test_experiments_without_it_are_what_they_were():
    without, with_it = compose(), compose(["mask.context_distance=true"])
    assert identity(without) != identity(with_it)
    assert "mask.context_distance" not in str(fingerprints(without, []))
