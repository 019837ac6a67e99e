"""Memory of a batch: clips are written once, where the trainer reads them, and what else is large is copied there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from vjepa_pipe.loader.blocks import SMALL_BYTES, Blocks

Places = Sequence[Tensor | None]

_reading: ContextVar[tuple[Blocks, Tensor | None] | None] = ContextVar(
    "where the batch being read stands", default=None
)


class BatchMemory:
    """Lays out each batch like the one before of its kind: the first one is stacked, the others are written in place.

    Attributes:
        blocks: Where batches stand.
    """

    def __init__(self) -> None:
        self.blocks = Blocks()
        self._like: dict[str, Tensor] = {}

    @contextmanager
    def laid_out(self, clips: int, kind: str) -> Iterator[Places]:
        """Lay out the next batch, which is read and collated within this context.

        Args:
            clips: In the batch.
            kind: Tells batches apart whose clips differ in shape.

        Yields:
            Where each clip may be written: views of one tensor `[B, ...]`, or None for each.
        """
        like = self._like.get(kind)
        batch = None if like is None else self.blocks.new((clips, *like.shape), like.dtype)
        token = _reading.set((self.blocks, batch))
        try:
            yield [None] * clips if batch is None else list(batch)
        finally:
            _reading.reset(token)

    def learn(self, samples: Sequence[Any], kind: str) -> None:
        """Remember what the clips of a batch of a kind are like, if they are all alike."""
        videos = [sample.get("video") if isinstance(sample, dict) else None for sample in samples]
        kinds = {(video.shape, video.dtype) if isinstance(video, Tensor) else None for video in videos}
        alike = kinds.pop() if len(kinds) == 1 else None
        self._like.pop(kind, None)
        if alike is not None:
            # An empty stride-0 tensor: it says the shape and the type, and holds no clip.
            self._like[kind] = torch.empty(1, dtype=alike[1]).expand(alike[0])


def stacked(parts: Sequence[Tensor]) -> Tensor:
    """Tensors as one, `[B, ...]`: the batch that they were written into, or a copy, if large in memory used again."""
    batch = batch_of(parts)
    if batch is not None:
        return batch
    first, reading = parts[0], _reading.get()
    plain = (Tensor, torch.strided, "cpu", False, first.dtype, first.shape)
    if (
        reading is None
        or len(parts) * first.numel() * first.element_size() <= SMALL_BYTES
        or any(
            (type(part), part.layout, part.device.type, part.requires_grad, part.dtype, part.shape) != plain
            for part in parts
        )
    ):
        return torch.stack(list(parts))
    return torch.stack(list(parts), out=reading[0].new((len(parts), *first.shape), first.dtype))


def batch_of(clips: Sequence[Tensor]) -> Tensor | None:
    """The batch that clips were written into, or None unless they are all of it, in their order."""
    reading = _reading.get()  # not `_base` alone: a transform may give views of a tensor of its own
    batch = reading[1] if reading is not None else None
    if batch is None or batch.shape != (len(clips), *clips[0].shape) or not batch.is_contiguous():
        return None
    step = clips[0].numel() * clips[0].element_size()
    in_place = all(
        clip._base is batch and clip.is_contiguous() and clip.data_ptr() == batch.data_ptr() + i * step
        for i, clip in enumerate(clips)
    )
    return batch if in_place else None
