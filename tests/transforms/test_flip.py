from __future__ import annotations

import numpy as np
import pytest
import torch

from vjepa_pipe.transforms import FlipParams, HorizontalFlip


def test_two_flips_undo_each_other_and_one_mirrors_the_columns() -> None:
    clip = torch.rand(3, 2, 4, 5)
    once = HorizontalFlip().apply(clip, FlipParams(True))
    assert torch.equal(once[..., 0], clip[..., -1])
    assert torch.equal(HorizontalFlip().apply(once, FlipParams(True)), clip)
    assert torch.equal(HorizontalFlip().apply(clip, FlipParams(False)), clip)


@pytest.mark.parametrize(("probability", "low", "high"), [(0.0, 0, 0), (0.5, 900, 1100), (1.0, 2000, 2000)])
def test_share_of_flipped_clips(probability: float, low: int, high: int) -> None:
    rng = np.random.default_rng(3)
    flip = HorizontalFlip(probability)
    assert low <= sum(flip.draw(rng, (1, 4, 4, 3)).mirrored for _ in range(2000)) <= high


def test_a_probability_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"from 0 to 1 \(got 1.5\)"):
        HorizontalFlip(1.5)
