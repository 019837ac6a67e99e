"""Affine transforms of whole clips, equal to Pillow's bicubic ones bit for bit, at half of their cost.

A pixel comes from the same place in every frame and colour, with the same weights. So a clip is taken as a table with a
row of C * T values for each pixel, and `embedding_bag` sums 16 weighted rows for each pixel of the result. That is
single precision. Pillow computes in double and cuts results to whole numbers, so the few values that lie too near to
one are computed again as Pillow does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vjepa_pipe.transforms.bicubic import FILL, UInt8, cubic

Float64 = NDArray[np.float64]

DOUBT = np.float32(5e-4)
"""More than single precision can be off here: 1e-4 by the weights, and 1.5e-5 by each of 16 sums."""

EDGE = 2
"""Pixels that are looked at beyond each edge of a frame; they are those of the edge."""

BAND = 4096
"""Pixels that are computed at a time: what is made of them stays in the processor's cache."""

TABLE_SIZE = 2**24
"""Values of a table at most, in single precision; of a larger clip some frames are done after the others."""


def affine(frames: UInt8, matrix: Sequence[float]) -> UInt8:
    """Move the pixels of each frame.

    Args:
        frames: `[T, H, W, C]`; never written to.
        matrix: (a, b, c, d, e, f): the pixel whose middle is (x, y) comes from (ax + by + c, dx + ey + f).

    Returns:
        `[T, H, W, C]`, equal to `Image.transform(AFFINE, matrix, BICUBIC, fillcolor=FILL)`.
    """
    out = np.empty_like(frames)
    together = max(1, TABLE_SIZE // frames[0].size)
    for start in range(0, len(frames), together):
        _move(frames[start : start + together], matrix, out[start : start + together])
    return out


def _move(frames: UInt8, matrix: Sequence[float], out: UInt8) -> None:
    count, height, width, channels = frames.shape
    a, b, c, d, e, f = matrix
    x, y = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, None]
    from_x, from_y = (a * x + b * y + c).ravel(), (d * x + e * y + f).ravel()
    inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
    # What comes from outside is overwritten at last; until then it comes from the first pixel.
    x, y = (np.where(inside, places, 0.5) - 0.5 for places in (from_x, from_y))
    column, row = np.floor(x), np.floor(y)
    x, y = x - column, y - row

    table, line = _table(frames), width + 2 * EDGE
    floats, alike = torch.from_numpy(table).float(), _alike(table, line)
    near = np.add.outer(np.arange(4) * line, np.arange(4)).ravel().astype(np.int32)
    first = ((row + EDGE - 1) * line + column + EDGE - 1).astype(np.int32)
    pixels = out.reshape(count, -1, channels)
    for start in range(0, len(first), BAND):
        band = slice(start, start + BAND)
        rows = first[band, None] + near
        sums = _sums(floats, rows, x[band], y[band])
        values = (sums + DOUBT).astype(np.uint8)
        doubtful = ((sums - DOUBT).astype(np.uint8) != values) & ~alike.take(first[band], 0) & inside[band, None]
        pixel, value = np.divmod(np.flatnonzero(doubtful), channels * count)
        taps = table[rows[pixel], value[:, None]].astype(np.float64).T.reshape(4, 4, -1)
        exact = cubic([cubic(taps_of_row, x[band][pixel]) for taps_of_row in taps], y[band][pixel])
        values[pixel, value] = exact.clip(0, 255).astype(np.uint8)
        values[~inside[band]] = FILL
        pixels[:, band] = values.reshape(-1, channels, count).transpose(2, 0, 1)


def _table(frames: UInt8) -> UInt8:
    """A row of C * T values for each pixel, with the edges around; uint8 `[(H + 2 EDGE) * (W + 2 EDGE), C * T]`."""
    count, height, width, channels = frames.shape
    table = np.empty((height + 2 * EDGE, width + 2 * EDGE, channels, count), np.uint8)
    inner, lines = table[EDGE:-EDGE], max(1, BAND // width)
    for start in range(0, height, lines):
        inner[start : start + lines, EDGE:-EDGE] = frames[:, start : start + lines].transpose(1, 2, 3, 0)
    inner[:, :EDGE], inner[:, -EDGE:] = inner[:, EDGE, None], inner[:, -EDGE - 1, None]
    table[:EDGE], table[-EDGE:] = inner[0], inner[-1]
    return table.reshape(-1, channels * count)


def _alike(table: UInt8, line: int) -> NDArray[np.bool_]:
    """Whether each value is that of the 16 taps from it on: their sum is certain. `[rows, C * T]`, a few rows less."""
    pairs: NDArray[np.bool_] = table[1:] == table[:-1]
    four = pairs[:-2] & pairs[1:-1] & pairs[2:]
    pairs = table[line:] == table[:-line]
    below = pairs[: -2 * line] & pairs[line:-line] & pairs[2 * line :]
    alike = below[:-3] & below[1:-2] & below[2:-1] & below[3:]
    alike &= four[: len(alike)]
    return alike


def _sums(table: Tensor, rows: NDArray[np.int32], x: Float64, y: Float64) -> NDArray[np.float32]:
    """The sums of 16 rows of a table for each pixel, to be cut to whole numbers; float32 `[pixels, C * T]`."""
    across, down = (
        np.stack([-d * (1 - d) ** 2, 1 - d**2 * (2 - d), d * (1 + d - d**2), -(d**2) * (1 - d)], 1).astype(np.float32)
        for d in (x, y)
    )
    weights = torch.from_numpy(np.repeat(down, 4, axis=1) * np.tile(across, 4))
    sums = F.embedding_bag(torch.from_numpy(rows), table, per_sample_weights=weights, mode="sum")
    mixed: NDArray[np.float32] = sums.clamp_(0, 255.5).numpy()  # all from 255 on is cut to 255
    return mixed
