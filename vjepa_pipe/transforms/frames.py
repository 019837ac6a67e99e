"""The form in which frames travel: uint8 `[T, H, W, C]`, as decoded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

CHANNELS = 3

Frames = Tensor | npt.NDArray[np.uint8]


def as_frames(frames: Frames) -> Tensor:
    """Check decoded frames and view them as a tensor.

    Args:
        frames: uint8 `[T, H, W, 3]`, tensor or array.

    Returns:
        The same frames as a tensor. Memory is shared, except for arrays that torch cannot view: read-only
        ones and those with negative strides (such as `x[..., ::-1]`).

    Raises:
        TypeError: The frames are neither array nor tensor, or not uint8.
        ValueError: The frames are not `[T, H, W, 3]`, or empty.
    """
    if isinstance(frames, np.ndarray):
        if frames.dtype != np.uint8:
            raise TypeError(f"frames must be uint8 (got {frames.dtype})")
        if not frames.flags.writeable or any(stride < 0 for stride in frames.strides):
            frames = frames.copy()
        frames = torch.from_numpy(frames)
    if not isinstance(frames, Tensor):
        raise TypeError(f"frames must be a numpy array or a torch tensor (got {type(frames).__name__})")
    if frames.dtype != torch.uint8:
        raise TypeError(f"frames must be uint8 (got {frames.dtype})")
    check_shape(frames.shape)
    return frames


def check_shape(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """Check that a shape is `[T, H, W, 3]` with no empty side.

    Args:
        shape: Frames, height, width, channels.

    Returns:
        The shape as a tuple.

    Raises:
        ValueError: The shape is another one.
    """
    if len(shape) != 4 or shape[-1] != CHANNELS or min(shape) < 1:
        raise ValueError(f"frames must be [T, H, W, {CHANNELS}] with every side >= 1 (got {list(shape)})")
    frames, height, width, channels = shape
    return frames, height, width, channels


def to_float_clip(frames: Tensor) -> Tensor:
    """Turn uint8 `[T, H, W, C]` into a contiguous float32 `[C, T, H, W]`, still on the 0-255 scale."""
    return frames.permute(3, 0, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)


def to_uint8(clip: Tensor) -> Tensor:
    """Round a float clip on the 0-255 scale to uint8; layout is kept, and so is a clip that is uint8 already."""
    return clip if clip.dtype == torch.uint8 else clip.round().clamp_(0, 255).to(torch.uint8)
