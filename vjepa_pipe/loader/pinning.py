"""Batches in page-locked memory, from which a GPU copies faster, and while the trainer goes on."""

from __future__ import annotations

import os
import warnings
import weakref
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vjepa_pipe.loader.nested import mapped

_PORTABLE = 1  # cudaHostRegisterPortable: page-locked for all devices


def pinned(value: Any, in_place: bool = False) -> Any:
    """The same value with its tensors, in lists, tuples and dicts at any depth, page-locked.

    Args:
        value: A batch.
        in_place: Leave a tensor that is page-locked already where it stands; else it is copied too, as memory that
            `PageLock` locked may only be given to those who wait for the copies from it.
    """

    def pin(tensor: torch.Tensor, _: str) -> torch.Tensor:
        if in_place or not tensor.is_pinned():
            return tensor.pin_memory()
        return torch.empty_like(tensor, pin_memory=True).copy_(tensor)

    return mapped(value, pin)


class PageLock:
    """Page-locks memory where it stands (`cudaHostRegister`), so that batches in it need not be copied.

    `is_pinned` is true there, since torch asks `cudaPointerGetAttributes`. But torch's own pinned memory is not used
    again before copies from it have ended, because its allocator records an event for each; it records none for memory
    that it does not know (pytorch/pytorch#68749). A tensor here that is dropped while `to(device, non_blocking=True)`
    still copies from it could be overwritten by a worker, and no event on one stream tells of copies on others. So such
    memory goes only to `device_prefetch`, which keeps each batch until its copy has ended; whoever else takes batches
    gets copies in torch's memory.

    Attributes:
        device: Whose context locks.
    """

    def __init__(self) -> None:
        self.device: torch.device | None = None
        self._refused = False

    def __call__(self, memory: npt.NDArray[np.uint8]) -> bool:
        """Lock an array's memory until it is gone; whether it is locked now. After one failure no more are tried."""
        if self._refused:
            return False
        with torch.cuda.device(self.device):
            failed = int(_cudart().cudaHostRegister(memory.ctypes.data, memory.nbytes, _PORTABLE))
            if not failed:
                # Called when nothing looks at the memory any more, and before it is unmapped.
                gone = weakref.finalize(memory, _unlock, memory.ctypes.data, torch.cuda.current_device(), os.getpid())
                gone.atexit = False
                return True
            with suppress(RuntimeError):
                torch.ones(1, device=self.device)  # CUDA tells of a failure once more at the next launch: this one
        self._refused = True
        warnings.warn(
            f"loader.pin_memory: cudaHostRegister failed with {torch.cuda.CudaError(failed)}; "
            "batches are copied into page-locked memory instead",
            stacklevel=2,
        )
        return False


def _unlock(address: int, device: int, process: int) -> None:
    if os.getpid() == process:  # a fork has no CUDA, and nothing locked
        with torch.cuda.device(device):  # in whatever thread this is
            _cudart().cudaHostUnregister(address)


def _cudart() -> Any:
    return torch.cuda.cudart()  # type: ignore[no-untyped-call]
