from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe.transforms import pad_clip_circulant, pad_indices_circulant


def test_a_short_list_starts_over_and_a_long_one_is_cut() -> None:
    assert pad_indices_circulant([4, 8, 12], 7).tolist() == [4, 8, 12, 4, 8, 12, 4]
    assert pad_indices_circulant(np.array([4, 8, 12]), 2).tolist() == [4, 8]
    assert pad_indices_circulant([5], 3).dtype == np.int64


@given(frames=st.integers(1, 12), total=st.integers(1, 30))
def test_clips_and_lists_are_padded_alike(frames: int, total: int) -> None:
    clip = torch.arange(frames).view(1, frames, 1, 1).repeat(3, 1, 2, 2)
    padded = pad_clip_circulant(clip, total)
    assert padded.shape == (3, total, 2, 2)
    assert padded[2, :, 1, 1].tolist() == pad_indices_circulant(range(frames), total).tolist()
    assert padded[0, :, 0, 0].tolist() == [i % frames for i in range(total)]


def test_nothing_to_repeat_is_an_error() -> None:
    with pytest.raises(ValueError, match="without frames"):
        pad_indices_circulant([], 4)
    with pytest.raises(ValueError, match="without frames"):
        pad_clip_circulant(torch.zeros(3, 0, 2, 2), 4)
    with pytest.raises(ValueError, match=r"to >= 1 frame \(got 0\)"):
        pad_indices_circulant([1], 0)
