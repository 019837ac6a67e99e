"""RandAugment on all frames of a clip at once, where that gives what Pillow gives frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image

from vjepa_pipe.transforms.affine import affine
from vjepa_pipe.transforms.augment_ops import BY_VALUE, IMAGE_OPS, MATRICES, matrix_of
from vjepa_pipe.transforms.bicubic import UInt8, move_columns, move_rows, transform

_RAMP = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))


def augment_clip(frames: UInt8, name: str, level: float, negate: bool) -> UInt8:
    """Apply one of `IMAGE_OPS` to each frame.

    Args:
        frames: `[T, H, W, 3]`; never written to.
        name: The operation.
        level: Its magnitude, from 0 to 10.
        negate: Turn its direction round.

    Returns:
        `[T, H, W, 3]`, equal to the operation on each frame.
    """
    operation = IMAGE_OPS[name]
    if name in BY_VALUE:  # what it does to each of the 256 values is seen by doing it to them
        table = np.asarray(operation(_RAMP, level, negate))[0, :, 0]
        return np.frombuffer(bytearray(frames).translate(table.tobytes()), np.uint8).reshape(frames.shape)
    if name in MATRICES and same_as_pillow():
        return _moved(frames, matrix_of(name, level, negate, frames.shape[2], frames.shape[1]))
    return np.stack([np.asarray(operation(Image.fromarray(frame), level, negate)) for frame in frames])


@cache
def same_as_pillow() -> bool:
    """Whether results are equal here; a processor or a build of Pillow that fuses products might round otherwise."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 24, 40, 3), dtype=np.uint8)
    matrices = [matrix_of(name, 7.3, negate, 40, 24) for name in MATRICES for negate in (False, True)]
    return all(
        np.array_equal(_moved(noise, matrix), [np.asarray(transform(frame, matrix)) for frame in noise])
        for matrix in [*matrices, (1, 0, 5.0, 0, 1, 0)]
    )


def _moved(frames: UInt8, matrix: Sequence[float]) -> UInt8:
    a, b, c, d, e, f = matrix
    if (a, d, e, f) == (1, 0, 1, 0):
        return move_rows(frames, b, c)
    if (a, b, c, e) == (1, 0, 0, 1):
        return move_columns(frames, d, f)
    return affine(frames, matrix)
