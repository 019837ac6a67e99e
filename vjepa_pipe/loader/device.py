"""Batches on their way to a device: copied while the trainer works on the batch before, normalised on arrival."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from vjepa_pipe.config.aug import IMAGENET_MEAN, IMAGENET_STD
from vjepa_pipe.transforms import Normalize


def device_prefetch(
    batches: Iterable[Any],
    device: torch.device | str,
    normalize_mean: tuple[float, ...] = IMAGENET_MEAN,
    normalize_std: tuple[float, ...] = IMAGENET_STD,
) -> Iterator[Any]:
    """Yield the same batches with their tensors on a device, one batch ahead of the trainer.

        for batch in device_prefetch(loader, "cuda"):
            ...

    With `loader.output=uint8` a quarter of the bytes is copied, and `video` is normalised here. On CUDA, copy and
    normalisation run on a stream of their own beside the trainer's work; `loader.pin_memory=true` lets the copy
    overlap too. On the CPU there is nothing to overlap, and only the normalisation is done.

    Args:
        batches: A loader: batch dicts, or lists of them.
        device: Where the tensors go.
        normalize_mean: Mean of each colour, for pixels from 0 to 1: that of `data_aug`.
        normalize_std: Standard deviation of each colour.

    Yields:
        Each batch; `video` is float32, other tensors keep their type, everything else is passed on.
    """
    device, normalize = torch.device(device), Normalize(normalize_mean, normalize_std)
    if device.type != "cuda":
        for batch in batches:
            yield _moved(batch, device, normalize)
        return
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    waiting: Any = None
    for batch in batches:
        with torch.cuda.stream(side):
            moved = _moved(batch, device, normalize)
        if waiting is not None:
            yield waiting
        # Whoever takes the batch waits for its copy, and its memory is not given away while still read there.
        torch.cuda.current_stream(device).wait_stream(side)
        for tensor in _tensors(moved):
            tensor.record_stream(torch.cuda.current_stream(device))
        waiting = moved
    if waiting is not None:
        yield waiting


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
