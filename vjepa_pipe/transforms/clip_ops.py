"""RandAugment on all frames of a clip at once, where that gives what Pillow gives frame by frame."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from vjepa_pipe.transforms.affine import affine
from vjepa_pipe.transforms.augment_ops import BY_VALUE, IMAGE_OPS, MATRICES, enhancement, matrix_of
from vjepa_pipe.transforms.bicubic import UInt8, move_columns, move_rows
from vjepa_pipe.transforms.sharpness import sharpen

_RAMP = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))
_AT_ONCE = frozenset({*MATRICES, "Sharpness", "SharpnessIncreasing"})


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
    if name in BY_VALUE:  # what it does to each of the 256 values is seen by doing it to them
        table = np.asarray(IMAGE_OPS[name](_RAMP, level, negate))[0, :, 0]
        return np.frombuffer(bytearray(frames).translate(table.tobytes()), np.uint8).reshape(frames.shape)
    if name in _AT_ONCE and same_as_pillow():
        return _at_once(frames, name, level, negate)
    return _one_by_one(frames, name, level, negate)


@cache
def same_as_pillow() -> bool:
    """Whether results are equal here; a processor or a build of Pillow that fuses products might round otherwise."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 24, 40, 3), dtype=np.uint8)
    return all(
        np.array_equal(_at_once(noise, name, level, negate), _one_by_one(noise, name, level, negate))
        for name in _AT_ONCE
        for level in (7.3, 10.0)
        for negate in (False, True)
    )


def _one_by_one(frames: UInt8, name: str, level: float, negate: bool) -> UInt8:
    return np.stack([np.asarray(IMAGE_OPS[name](Image.fromarray(frame), level, negate)) for frame in frames])


def _at_once(frames: UInt8, name: str, level: float, negate: bool) -> UInt8:
    if name not in MATRICES:
        return sharpen(frames, enhancement(level, negate, increasing=name == "SharpnessIncreasing"))
    a, b, c, d, e, f = matrix = matrix_of(name, level, negate, frames.shape[2], frames.shape[1])
    if (a, d, e, f) == (1, 0, 1, 0):
        return move_rows(frames, b, c)
    if (a, b, c, e) == (1, 0, 0, 1):
        return move_columns(frames, d, f)
    return affine(frames, matrix)
