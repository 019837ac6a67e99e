from __future__ import annotations

import numpy as np
import pytest
import torch

from vjepa_pipe.transforms import VideoTransformPipeline, as_frames


def test_arrays_are_viewed_not_copied() -> None:
    frames = np.zeros((2, 4, 5, 3), dtype=np.uint8)
    frames_tensor = as_frames(frames)
    frames[1, 2, 3] = 7
    assert frames_tensor[1, 2, 3].tolist() == [7, 7, 7]
    assert as_frames(frames_tensor) is frames_tensor


@pytest.mark.filterwarnings("error")
def test_read_only_and_reversed_arrays_are_taken_too() -> None:
    frames = np.arange(120, dtype=np.uint8).reshape(2, 4, 5, 3)
    assert np.array_equal(as_frames(frames[..., ::-1]).numpy(), frames[..., ::-1])
    frames.flags.writeable = False
    assert np.array_equal(as_frames(frames).numpy(), frames)


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        (np.zeros((2, 4, 5, 3), np.float32), TypeError, r"frames must be uint8 \(got float32\)"),
        (torch.zeros(2, 4, 5, 3), TypeError, r"frames must be uint8 \(got torch.float32\)"),
        ([[1]], TypeError, r"array or a torch tensor \(got list\)"),
        (np.zeros((4, 5, 3), np.uint8), ValueError, r"\[T, H, W, 3\] .* \(got \[4, 5, 3\]\)"),
        (np.zeros((2, 3, 4, 5), np.uint8), ValueError, r"\(got \[2, 3, 4, 5\]\)"),
        (np.zeros((2, 4, 5, 1), np.uint8), ValueError, r"\(got \[2, 4, 5, 1\]\)"),
        (np.zeros((0, 4, 5, 3), np.uint8), ValueError, r"\(got \[0, 4, 5, 3\]\)"),
    ],
)
def test_anything_else_is_refused_by_both_transforms(frames: object, error: type[Exception], message: str) -> None:
    pipeline = VideoTransformPipeline(img_size=8)
    for transform in (pipeline.get_train_transform(), pipeline.get_eval_transform()):
        with pytest.raises(error, match=message):
            transform(frames)
