"""The evaluation transform: the centre crop or several views, to float, normalised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vjepa_pipe.transforms.frames import Frames, as_frames, to_float_clip
from vjepa_pipe.transforms.normalize import Normalize
from vjepa_pipe.transforms.views import MultiViewCrop, ResizeCenterCrop


@dataclass(frozen=True)
class EvalTransform:
    """From decoded frames to an evaluation clip; nothing is drawn.

    Attributes:
        view: The centre crop, or several crops along the side that is left over.
        normalize: Mean and standard deviation.
        as_uint8: Give whole 8-bit values, not normalised.
    """

    view: ResizeCenterCrop | MultiViewCrop
    normalize: Normalize
    as_uint8: bool = False

    def __call__(self, frames: Frames, rng: np.random.Generator | None = None) -> Tensor:
        """Crop and normalise.

        Args:
            frames: uint8 `[T, H, W, 3]`, tensor or array; never written to.
            rng: Unused; taken so that both transforms are called alike.

        Returns:
            Normalised float32 (uint8 with `as_uint8`) `[C, T, height, width]`, or `[V, C, T, height, width]` for V > 1
            views.

        Raises:
            TypeError: The frames are not uint8.
            ValueError: The frames have another shape.
        """
        del rng
        seen = self.view.apply(as_frames(frames))
        if isinstance(self.view, MultiViewCrop):
            return torch.stack([self._finished(view) for view in seen])
        return self._finished(seen)

    def _finished(self, frames: Tensor) -> Tensor:
        if self.as_uint8:
            return frames.permute(3, 0, 1, 2).contiguous()
        return self.normalize.apply(to_float_clip(frames))
