"""VideoCollator: equal shapes whatever the samples."""

from __future__ import annotations

import pytest
import torch

from vjepa_pipe import VideoCollator


def sample(tokens: int = 8, frames: int = 4, real: int = 2) -> dict:
    return {
        "pixel_values": torch.rand(frames, 3, 16, 16),
        "frame_mask": torch.arange(frames) < real,
        "input_ids": torch.arange(tokens),
        "labels": torch.arange(tokens),
        "caption": "a cat",
        "row": 3,
    }


def test_a_batch() -> None:
    batch = VideoCollator(pad_id=0, max_text_len=8)([sample(), sample(), sample(real=4)])
    assert batch["pixel_values"].shape == (3, 4, 3, 16, 16)
    assert batch["frame_mask"].tolist() == [[True, True, False, False]] * 2 + [[True] * 4]
    assert batch["input_ids"].shape == batch["labels"].shape == (3, 8)
    assert (batch["caption"], batch["row"].tolist()) == (["a cat"] * 3, [3, 3, 3])


def test_texts_are_cut_and_filled_to_one_length() -> None:
    batch = VideoCollator(pad_id=27, max_text_len=8)([sample(12), sample(4)])
    assert batch["input_ids"].tolist() == [list(range(8)), [0, 1, 2, 3, 27, 27, 27, 27]]
    assert batch["labels"].tolist() == [list(range(8)), [0, 1, 2, 3, -100, -100, -100, -100]]


def test_samples_without_text() -> None:
    plain = {key: value for key, value in sample().items() if key not in ("input_ids", "labels")}
    assert set(VideoCollator()([plain, plain])) == set(plain)


def test_wrong_use() -> None:
    with pytest.raises(ValueError, match=r"max_text_len must be positive \(got 0\)"):
        VideoCollator(0, 0)
    with pytest.raises(ValueError, match="VideoCollator received an empty batch"):
        VideoCollator(0, 8)([])
    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        VideoCollator(0, 8)([sample(frames=4), sample(frames=5)])
