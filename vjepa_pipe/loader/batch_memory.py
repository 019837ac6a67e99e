"""Memory of a batch, laid out before its clips are read, so that each is written once, where the trainer reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vjepa_pipe.loader.blocks import Blocks


class BatchMemory:
    """Lays out each batch like the one before: the first one is stacked, the others are written in place.

    Attributes:
        blocks: Where batches stand.
    """

    def __init__(self) -> None:
        self.blocks = Blocks()
        self._like: Tensor | None = None

    def places(self, clips: int) -> Sequence[Tensor | None]:
        """Where each clip of the next batch may be written: views of one tensor `[B, ...]`, or None for each."""
        if self._like is None:
            return [None] * clips
        return list(self.blocks.new((clips, *self._like.shape), self._like.dtype))

    def learn(self, samples: Sequence[Any]) -> None:
        """Remember what the clips of a batch are like, if they are all alike."""
        videos = [sample.get("video") if isinstance(sample, dict) else None for sample in samples]
        kinds = {(video.shape, video.dtype) if isinstance(video, Tensor) else None for video in videos}
        kind = kinds.pop() if len(kinds) == 1 else None
        # An empty stride-0 tensor: it says the shape and the type, and holds no clip.
        self._like = None if kind is None else torch.empty(1, dtype=kind[1]).expand(kind[0])


def batch_of(clips: Sequence[Tensor]) -> Tensor | None:
    """The batch that clips were written into, or None unless they are all of it, in their order."""
    batch = clips[0]._base
    if batch is None or batch.shape != (len(clips), *clips[0].shape) or not batch.is_contiguous():
        return None
    step = clips[0].numel() * clips[0].element_size()
    in_place = all(
        clip._base is batch and clip.is_contiguous() and clip.data_ptr() == batch.data_ptr() + i * step
        for i, clip in enumerate(clips)
    )
    return batch if in_place else None
