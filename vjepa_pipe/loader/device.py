"""Batches on their way to a device: copied while the trainer works on the batch before, normalised on arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from vjepa_pipe.config.aug import IMAGENET_MEAN, IMAGENET_STD
from vjepa_pipe.loader.loader import ClipLoader
from vjepa_pipe.loader.nested import mapped, tensors_in
from vjepa_pipe.transforms import Normalize

_MOST_KEPT = 4
"""Batches whose copies may be under way: with more, the oldest is waited for, so that memory stays bounded."""


class device_prefetch:
    """The same batches with their tensors on a device, one batch ahead of the trainer.

        batches = device_prefetch(loader, "cuda")
        for batch in batches:
            ...
            torch.save(batches.state_dict(), "state.pt")

    With `loader.output=uint8` a quarter of the bytes is copied, and `video` is normalised here. On CUDA, copy and
    normalisation run on a stream of their own beside the trainer's work; `loader.pin_memory=true` lets the copy
    overlap too. `video` arrives as float32, other tensors keep their type, everything else is passed on.

    Of a loader of ours with workers and `pin_memory`, batches are copied from the memory that workers wrote them into,
    page-locked once. Each is kept until its copy has ended, as an event tells, and only then may a worker write there.

    Args:
        batches: A loader: batches whose tensors stand in dicts, lists and tuples at any depth.
        device: Where the tensors go.
        normalize_mean: Mean of each colour, for pixels from 0 to 1: that of `data_aug`.
        normalize_std: Standard deviation of each colour.
    """

    def __init__(
        self,
        batches: Iterable[Any],
        device: torch.device | str,
        normalize_mean: tuple[float, ...] = IMAGENET_MEAN,
        normalize_std: tuple[float, ...] = IMAGENET_STD,
    ) -> None:
        self.batches = batches
        self.device = torch.device(device)
        self._normalize = Normalize(normalize_mean, normalize_std)
        self._state: dict[str, Any] | None = None  # after the batch yielded last; None: where the loader stands

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        self._drop_read_ahead()
        if self.device.type == "cuda" and isinstance(self.batches, ClipLoader):
            return self._one_ahead(self.batches.page_locked(self.device))
        return self._one_ahead(iter(self.batches))

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass yield this epoch."""
        self._drop_read_ahead()
        self.batches.set_epoch(epoch)  # type: ignore[attr-defined]

    def state_dict(self) -> dict[str, Any]:
        """The loader's place after the last batch yielded; the one read ahead does not count."""
        return self._state if self._state is not None else self.batches.state_dict()  # type: ignore[attr-defined]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Make the next pass start where a state says."""
        self.batches.load_state_dict(state)  # type: ignore[attr-defined]
        self._state = None

    def _drop_read_ahead(self) -> None:
        """A batch that was read ahead, and of which nobody heard, is no step of the run."""
        if self._state is not None and isinstance(self.batches, ClipLoader):
            self.batches.sampler.steps = self._state["steps"]
        self._state = None

    def _one_ahead(self, batches: Iterator[Any]) -> Iterator[Any]:
        side = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None  # type: ignore[no-untyped-call]
        state_of = getattr(self.batches, "state_dict", lambda: None)
        waiting: tuple[Any, dict[str, Any] | None] | None = None
        kept: deque[tuple[Any, torch.cuda.Event]] = deque()  # batches that copies may still read from
        try:
            for batch in batches:
                state = state_of()
                with torch.cuda.stream(side):
                    moved = mapped(batch, self._moved)
                if side is not None:
                    kept.append((batch, side.record_event()))
                del batch
                if waiting is not None:
                    self._state = waiting[1]
                    yield waiting[0]
                if side is not None:
                    # Whoever takes the batch waits for its copy, and its memory there is not given away while in use.
                    torch.cuda.current_stream(self.device).wait_stream(side)
                    for tensor in tensors_in(moved):
                        tensor.record_stream(torch.cuda.current_stream(self.device))
                    _drop_copied(kept)
                waiting = moved, state
            if waiting is not None:
                self._state = waiting[1]
                yield waiting[0]
        finally:
            if side is not None:
                side.synchronize()  # before `kept`, and a batch that could not be moved as a whole, are dropped

    def _moved(self, tensor: torch.Tensor, name: str) -> torch.Tensor:
        moved = tensor.to(self.device, non_blocking=True)
        return self._normalize.apply(moved.float()) if name == "video" and tensor.dtype == torch.uint8 else moved


def _drop_copied(kept: deque[tuple[Any, torch.cuda.Event]]) -> None:
    """Drop the batches whose copies have ended, and if too many are left, wait for the oldest."""
    while kept:
        copied = kept[0][1]
        if len(kept) > _MOST_KEPT:
            copied.synchronize()
        elif not copied.query():  # type: ignore[no-untyped-call]
            return
        kept.popleft()
