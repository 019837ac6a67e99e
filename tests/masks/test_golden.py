"""Masks of the published code, number for number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vjepa_pipe.config.mask import MultiBlockConfig
from vjepa_pipe.masks import MultiBlock3D

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "multiblock3d_masks.json").read_text())["cases"]


class Replayed(MultiBlock3D):
    """Takes block positions from a record instead of a generator."""

    def replay(self, positions):
        self.recorded = list(positions)

    def draw_positions(self, size, rng, clips):
        assert clips == 1
        drawn, self.recorded = self.recorded[: self.config.num_blocks], self.recorded[self.config.num_blocks :]
        return [drawn]


@pytest.mark.parametrize(
    "case", GOLDEN, ids=lambda case: "-".join(map(str, [*case["mask"].values(), case["crop_size"], case["seed"]]))
)
def test_masks_are_the_published_ones(case):
    side = case["crop_size"] // case["patch_size"]
    grid = (case["frames_per_clip"] // case["tubelet_size"], side, side)
    masks = Replayed(MultiBlockConfig(**case["mask"]), grid, "reference")
    masks.replay(case["block_positions_top_left_start"])

    size = masks.draw_size(case["seed"])
    grids = [masks.draw_clip(size, None) for _ in range(case["batch_size"])]
    enc, pred = masks.collate(grids, [None] * len(grids))

    assert list(size) == case["block_size_thw"]
    assert masks.recorded == []
    assert enc.tolist() == case["enc"]
    assert pred.tolist() == case["pred"]


def test_the_record_covers_what_it_should():
    redrawn = [
        c for c in GOLDEN if len(c["block_positions_top_left_start"]) > c["mask"]["num_blocks"] * c["batch_size"]
    ]
    assert len(GOLDEN) == 28
    assert len(redrawn) >= 3
    for option in ("max_temporal_keep", "full_complement", "pred_full_complement", "inv_block", "max_keep"):
        assert any(option in case["mask"] for case in GOLDEN)
