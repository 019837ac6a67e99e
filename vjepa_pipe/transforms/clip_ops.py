"""RandAugment on all frames of a clip at once, where that gives what Pillow gives frame by frame."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vjepa_pipe.transforms.augment_ops import BY_VALUE, IMAGE_OPS, MATRICES, matrix_of
from vjepa_pipe.transforms.bicubic import UInt8, move_columns, move_rows, same_as_pillow

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
        _, slope_x, shift_x, slope_y, _, shift_y = matrix_of(name, level, negate, frames.shape[2], frames.shape[1])
        along_rows = slope_y == shift_y == 0
        return move_rows(frames, slope_x, shift_x) if along_rows else move_columns(frames, slope_y, shift_y)
    return np.stack([np.asarray(operation(Image.fromarray(frame), level, negate)) for frame in frames])
