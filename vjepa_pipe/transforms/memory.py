"""Where a transform puts the clip that it makes: its own memory, or a place in the batch that the clip belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_place: ContextVar[Tensor | None] = ContextVar("place of the next clip", default=None)


@contextmanager
def next_clip_at(place: Tensor | None) -> Iterator[None]:
    """Within this context, the next clip of the shape and type of `place` is made there."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


def new_clip(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """An unfilled clip `[C, T, H, W]`: the place that was set aside if it fits, else new memory.

    A place is given out once, so a second clip of the same sample never covers the first.
    """
    place = _place.get()
    if place is not None and place.shape == tuple(shape) and place.dtype == dtype:
        _place.set(None)
        return place
    return torch.empty(tuple(shape), dtype=dtype)
