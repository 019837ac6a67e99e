"""Bilinear resizing of uint8 frames in fixed point, equal to OpenCV bit for bit.

The published evaluation resizes with OpenCV's INTER_LINEAR. OpenCV keeps each weight as a whole number of 1/2048 and
drops low bits on the way, so floating point gives another result on about one pixel in eight. The arithmetic here
is that of the uint8 path of OpenCV on x86 (`modules/imgproc/src/resize.cpp`), without needing OpenCV.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vjepa_pipe.transforms.box import Box

WEIGHT_ONE = 2048


class _Taps(NamedTuple):
    """For each output pixel along one side: its two source pixels and their weights, in 1/2048."""

    low: Tensor
    high: Tensor
    low_weight: Tensor
    high_weight: Tensor


def resize_bilinear(frames: Tensor, height: int, width: int, part: Box | None = None) -> Tensor:
    """Resize frames, computing only the part that is wanted.

    Args:
        frames: uint8 `[T, H, W, C]`.
        height: Height of the whole resized frame, in pixels.
        width: Width of the whole resized frame, in pixels.
        part: The box of the resized frame to compute; None computes all of it.

    Returns:
        uint8 `[T, part.height, part.width, C]`.
    """
    top, left, part_height, part_width = part or Box(0, 0, height, width)
    rows = _taps(frames.shape[1], height, top, part_height)
    columns = _taps(frames.shape[2], width, left, part_width)
    both_rows = torch.cat([rows.low, rows.high])
    left_weight, right_weight = columns.low_weight[:, None], columns.high_weight[:, None]
    upper_weight, lower_weight = rows.low_weight[:, None, None], rows.high_weight[:, None, None]

    out = torch.empty((frames.shape[0], part_height, part_width, frames.shape[3]), dtype=torch.uint8)
    for index, frame in enumerate(frames):
        bands = frame.index_select(0, both_rows)
        mixed = bands.index_select(1, columns.low).int().mul_(left_weight)
        mixed += bands.index_select(1, columns.high).int().mul_(right_weight)
        # 8 bits of pixel and 11 of weight lose 4 here, then 16, then 2 with rounding: 8 + 11 - 4 + 11 - 16 - 2 = 8.
        upper, lower = mixed.bitwise_right_shift_(4).split(part_height)
        upper = upper.mul_(upper_weight).bitwise_right_shift_(16)
        lower = lower.mul_(lower_weight).bitwise_right_shift_(16)
        out[index] = upper.add_(lower).add_(2).bitwise_right_shift_(2)
    return out


def _taps(source: int, target: int, start: int, count: int) -> _Taps:
    """Find the source pixels and weights of `count` output pixels from `start`, of a side resized to `target`."""
    # float32 positions and round-half-even weights, as in OpenCV: float64 would move some weights by 1/2048.
    scale = 1.0 / (target / source)
    centre = ((np.arange(start, start + count) + 0.5) * scale - 0.5).astype(np.float32)
    low = np.floor(centre)
    fraction = centre - low
    high_weight = np.rint(fraction * np.float32(WEIGHT_ONE))
    low_weight = np.rint((np.float32(1) - fraction) * np.float32(WEIGHT_ONE))
    return _Taps(
        torch.from_numpy(low.clip(0, source - 1).astype(np.int64)),
        torch.from_numpy((low + 1).clip(0, source - 1).astype(np.int64)),
        torch.from_numpy(low_weight.astype(np.int32)),
        torch.from_numpy(high_weight.astype(np.int32)),
    )
