"""Shears and shifts of whole clips, equal to Pillow's bicubic transforms bit for bit, at about a quarter of their cost.

Pillow reckons 16 products per value in double precision. A shear or a shift along the rows moves nothing across them,
so 4 are enough, and since all pixels of a row move by the same fraction, a row is one stretch of array arithmetic in
single precision. Pillow cuts results to whole numbers; the few that lie too near to one are reckoned again in double.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

UInt8 = NDArray[np.uint8]

FILL = 128
"""Grey of what comes in from outside the frame."""

DOUBT = np.float32(2e-4)
"""More than single precision can be off here: 2e-5 by the weights and as much by the products, 9e-5 by three sums."""


class _Moves(NamedTuple):
    """Where the pixels of a frame of `lines` rows come from; the same for each frame.

    Attributes:
        column: Source pixel left of each pixel's place, int64 [lines, positions].
        fraction: How far right of it the place lies, from 0 to 1, float64 [lines, positions].
        inside: Whether the place lies in the frame, bool [lines, positions].
        step: `column` less the pixel's own number, in the middle of each row; int64 [lines].
        weights: What the differences of four neighbours count for, float32 [3, lines, 1].
    """

    column: NDArray[np.int64]
    fraction: NDArray[np.float64]
    inside: NDArray[np.bool_]
    step: NDArray[np.int64]
    weights: Tensor


def move_rows(frames: UInt8, slope: float, shift: float) -> UInt8:
    """Take each pixel from further right in its row: `shift` pixels, and `slope` more for each row further down.

    Args:
        frames: `[T, H, W, C]`.
        slope: Pixels per row; the first row, half a row down, moves by half of it.
        shift: Pixels.

    Returns:
        `[T, H, W, C]`, equal to `Image.transform(AFFINE, (1, slope, shift, 0, 1, 0), BICUBIC, fillcolor=FILL)`.
    """
    count, lines, positions, channels = frames.shape
    moves = _moves(lines, positions, slope, shift)
    wanted = np.broadcast_to(moves.inside[..., None], (lines, positions, channels)).reshape(lines, -1)
    room = _Room(moves.step, positions, channels)
    out = np.full((count, lines, positions * channels), FILL, np.uint8)
    for index, frame in enumerate(frames.reshape(count, lines, -1)):
        four = room.four_neighbours(frame)
        values, doubtful = room.mix(four, moves.weights)
        _recompute_exactly(values, np.flatnonzero(doubtful & wanted), frames[index], moves)
        np.copyto(out[index], values, where=wanted)
    return out.reshape(frames.shape)


def move_columns(frames: UInt8, slope: float, shift: float) -> UInt8:
    """As `move_rows`, downwards: equal to `Image.transform(AFFINE, (1, 0, 0, slope, 1, shift), ...)`."""
    count, height, width, channels = frames.shape
    if slope == 0:  # whole rows move alike: a single line of H positions, each with all the values of a row
        return move_rows(frames.reshape(count, 1, height, width * channels), 0.0, shift).reshape(frames.shape)
    return _transposed(move_rows(_transposed(frames), slope, shift))


def transform(frame: UInt8 | Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    """Pillow's bicubic affine transform, filled with grey."""
    image = frame if isinstance(frame, Image.Image) else Image.fromarray(frame)
    method, resample = Image.Transform.AFFINE, Image.Resampling.BICUBIC
    return image.transform(image.size, method, matrix, resample=resample, fillcolor=(FILL,) * 3)


def cubic(taps: Sequence[NDArray[np.float64]], d: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pillow's cubic between the middle two of four taps, at the share `d` of the way; in its order of arithmetic."""
    a, b, c, e = taps
    mixed: NDArray[np.float64] = b + d * ((c - a) + d * ((2 * (a - b) + c - e) + d * (-a + b - c + e)))
    return mixed


def _moves(lines: int, positions: int, slope: float, shift: float) -> _Moves:
    place = (np.arange(positions) + 0.5) + slope * (np.arange(lines) + 0.5)[:, None] + shift
    inside = (place >= 0) & (place < positions)
    place -= 0.5
    column = np.floor(place).astype(np.int64)
    fraction = place - column
    middle = positions // 2
    d = fraction[:, middle]
    # Pillow's cubic b + d (c - a) + ..., gathered by the differences b - a, c - b, e - c: flat stretches stay exact.
    weights = np.stack([d * (1 - d) ** 2, d, -d * d * (1 - d)])[..., None].astype(np.float32)
    return _Moves(column, fraction, inside, column[:, middle] - middle, torch.from_numpy(weights))


class _Room:
    """Memory for one frame, used for all: rows are written apart, and each is looked at from its own step."""

    def __init__(self, step: NDArray[np.int64], positions: int, channels: int) -> None:
        lines, self._size, self._channels = len(step), positions * channels, channels
        self._left, right = max(0, 1 - int(step.min())), max(0, 2 + int(step.max()))
        padded = np.zeros((lines, self._left + positions + right, channels), np.uint8)
        self._padded = padded.reshape(lines, -1)
        windows = np.lib.stride_tricks.sliding_window_view(self._padded, self._size + 3 * channels, axis=1)
        self._windows, self._rows, self._starts = windows, np.arange(lines), (step - 1 + self._left) * channels
        self._four = torch.empty(lines, self._size + 3 * channels)
        self._steps = torch.empty(lines, self._size + 2 * channels)
        self._mixed, self._part = (torch.empty(lines, self._size) for _ in range(2))
        self._low, self._high = (np.empty((lines, self._size), np.uint8) for _ in range(2))

    def four_neighbours(self, frame: UInt8) -> UInt8:
        """The moved rows of a frame `[lines, values]`, with one pixel more on the left and two on the right."""
        size, channels, start = self._size, self._channels, self._left * self._channels
        self._padded[:, start : start + size] = frame
        # A cubic near the edge sees the edge's pixel again; further out nothing is looked at.
        for pixel in range(max(0, self._left - 2), self._left):
            self._padded[:, pixel * channels : (pixel + 1) * channels] = frame[:, :channels]
        for at in range(start + size, min(start + size + 3 * channels, self._padded.shape[1]), channels):
            self._padded[:, at : at + channels] = frame[:, size - channels :]
        moved: UInt8 = self._windows[self._rows, self._starts]
        return moved

    def mix(self, four: UInt8, weights: Tensor) -> tuple[UInt8, NDArray[np.bool_]]:
        """The values between the neighbours, and which of them lie too near to a whole number to be sure of."""
        size, channels = self._size, self._channels
        neighbours, steps = self._four, self._steps
        np.copyto(neighbours.numpy(), four)
        torch.sub(neighbours[:, channels:], neighbours[:, :-channels], out=steps)
        torch.addcmul(neighbours[:, channels : channels + size], steps[:, :size], weights[0], out=self._mixed)
        for tap in (1, 2):
            self._mixed.addcmul_(steps[:, tap * channels : tap * channels + size], weights[tap])
        mixed, part = self._mixed.clamp_(0, 255).numpy(), self._part.numpy()
        np.copyto(self._low, np.subtract(mixed, DOUBT, out=part), casting="unsafe")
        np.copyto(self._high, np.add(mixed, DOUBT, out=part), casting="unsafe")
        alike = four[:, channels:] == four[:, :-channels]
        flat = alike[:, :size] & alike[:, channels : channels + size] & alike[:, 2 * channels :]
        return self._high, (self._low != self._high) & ~flat


def _recompute_exactly(values: UInt8, doubtful: NDArray[np.intp], frame: UInt8, moves: _Moves) -> None:
    """Put what Pillow's own arithmetic gives in place of doubtful values `[lines, positions * C]`."""
    if not doubtful.size:
        return
    positions, channels = frame.shape[1:]
    pixel, channel = np.divmod(doubtful, channels)
    line = pixel // positions
    column, d = moves.column.ravel()[pixel], moves.fraction.ravel()[pixel]
    near = (line * positions + np.clip(column + tap, 0, positions - 1) for tap in (-1, 0, 1, 2))
    exact = cubic([frame.reshape(-1).take(at * channels + channel).astype(np.float64) for at in near], d)
    values.reshape(-1)[doubtful] = np.clip(exact, 0, 255).astype(np.uint8)


def _transposed(frames: UInt8) -> UInt8:
    """`[T, H, W, C]` to `[T, W, H, C]`; pixels are moved whole, which is twice as fast as value by value."""
    pixels = np.ascontiguousarray(frames).view(f"V{frames.shape[-1]}")[..., 0]
    swapped = np.ascontiguousarray(pixels.swapaxes(1, 2))
    return swapped.view(np.uint8).reshape(*swapped.shape, frames.shape[-1])
