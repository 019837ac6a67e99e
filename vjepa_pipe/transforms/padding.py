"""Circulant padding: a clip that is too short starts over, as often as needed.

The rule is `circulant_frame_padding` of vjepa2 `src/datasets/utils/video/transforms.py`; like it, both functions
also cut a clip that is too long.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def pad_indices_circulant(indices: Sequence[int] | npt.NDArray[np.integer], total: int) -> npt.NDArray[np.int64]:
    """Repeat a list of frame numbers, then cut it: `[4, 8, 12]` to 7 is `[4, 8, 12, 4, 8, 12, 4]`.

    Args:
        indices: Frame numbers, at least one.
        total: Length wanted, >= 1.

    Returns:
        int64 `[total]`.

    Raises:
        ValueError: There is nothing to repeat, or `total` is below 1.
    """
    _check(len(indices), total)
    return np.resize(np.asarray(indices, dtype=np.int64), total)


def pad_clip_circulant(clip: Tensor, total: int) -> Tensor:
    """Repeat the frames of a clip, then cut them.

    Args:
        clip: `[C, T, H, W]`, T >= 1.
        total: Frames wanted, >= 1.

    Returns:
        `[C, total, H, W]`, a copy.

    Raises:
        ValueError: There is nothing to repeat, or `total` is below 1.
    """
    _check(clip.shape[1], total)
    return clip.index_select(1, torch.arange(total, device=clip.device) % clip.shape[1])


def _check(frames: int, total: int) -> None:
    if frames < 1:
        raise ValueError("a clip without frames cannot be padded")
    if total < 1:
        raise ValueError(f"a clip must be padded to >= 1 frame (got {total})")
