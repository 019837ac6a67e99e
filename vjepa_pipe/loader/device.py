"""Batches on their way to a device: copied while the trainer works on the batch before, normalised on arrival."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from vjepa_pipe.config.aug import IMAGENET_MEAN, IMAGENET_STD
from vjepa_pipe.transforms import Normalize


class device_prefetch:
    """The same batches with their tensors on a device, one batch ahead of the trainer.

        batches = device_prefetch(loader, "cuda")
        for batch in batches:
            ...
            torch.save(batches.state_dict(), "state.pt")

    With `loader.output=uint8` a quarter of the bytes is copied, and `video` is normalised here. On CUDA, copy and
    normalisation run on a stream of their own beside the trainer's work; `loader.pin_memory=true` lets the copy
    overlap too. `video` arrives as float32, other tensors keep their type, everything else is passed on.

    Args:
        batches: A loader: batch dicts, or lists of them.
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
        self._state = None
        return self._one_ahead(iter(self.batches))

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass yield this epoch."""
        self._state = None
        self.batches.set_epoch(epoch)  # type: ignore[attr-defined]

    def state_dict(self) -> dict[str, Any]:
        """The loader's place after the last batch yielded; the one read ahead does not count."""
        return self._state if self._state is not None else self.batches.state_dict()  # type: ignore[attr-defined]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Make the next pass start where a state says."""
        self.batches.load_state_dict(state)  # type: ignore[attr-defined]
        self._state = None

    def _one_ahead(self, batches: Iterator[Any]) -> Iterator[Any]:
        side = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None  # type: ignore[no-untyped-call]
        state_of = getattr(self.batches, "state_dict", lambda: None)
        waiting: tuple[Any, dict[str, Any] | None] | None = None
        for batch in batches:
            state = state_of()
            with torch.cuda.stream(side):
                moved = _moved(batch, self.device, self._normalize)
            if waiting is not None:
                self._state = waiting[1]
                yield waiting[0]
            if side is not None:
                # Whoever takes the batch waits for its copy, and its memory is not given away while still read there.
                torch.cuda.current_stream(self.device).wait_stream(side)
                for tensor in _tensors(moved):
                    tensor.record_stream(torch.cuda.current_stream(self.device))
            waiting = moved, state
        if waiting is not None:
            self._state = waiting[1]
            yield waiting[0]


def _moved(value: Any, device: torch.device, normalize: Normalize, name: str = "") -> Any:
    if isinstance(value, torch.Tensor):
        moved = value.to(device, non_blocking=True)
        return normalize.apply(moved.float()) if name == "video" and value.dtype == torch.uint8 else moved
    if isinstance(value, dict):
        return {key: _moved(item, device, normalize, key) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], (torch.Tensor, dict)):
        return [_moved(item, device, normalize, name) for item in value]
    return value


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)
