"""A GPU that is not there: page-locking, streams and events that only write down what they are asked to do."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch


class FakeCuda:
    """Copies to device "cuda" are made at once, and count as under way until their event says that they ended.

    Attributes:
        locked: Bytes of each piece of memory that is page-locked now, by its address.
        history: Addresses in the order in which they were locked.
        pinned: Bytes of each tensor that was copied into torch's own pinned memory.
        refusal: What `cudaHostRegister` returns; 0 is success.
        copying: While true, events are not done.
        waited: Events that were waited for.
        unmapped_first: How often memory was unmapped before it was unlocked.
        process: Which may use it.
        on_synchronize: Called when a stream is waited for.
    """

    def __init__(self) -> None:
        self.locked: dict[int, int] = {}
        self.history: list[int] = []
        self.pinned: list[int] = []
        self.refusal = 0
        self.copying = False
        self.waited = 0
        self.unmapped_first = 0
        self.on_synchronize: Callable[[], object] = lambda: None
        self.process = os.getpid()
        self._own: dict[int, torch.UntypedStorage] = {}

    def cudaHostRegister(self, address: int, size: int, flags: int) -> int:
        assert os.getpid() == self.process and flags == 1 and address % 4096 == 0
        assert address not in self.locked, "CUDA refuses what is registered already"
        if not self.refusal:
            self.locked[address] = size
            self.history.append(address)
        return self.refusal

    def cudaHostUnregister(self, address: int) -> int:
        assert os.getpid() == self.process
        del self.locked[address]
        self.unmapped_first += not mapped(address)
        return 0

    def is_pinned(self, tensor: torch.Tensor) -> bool:
        place = tensor.untyped_storage().data_ptr()
        return place in self._own or any(start <= place < start + size for start, size in self.locked.items())

    def pin_memory(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor if self.is_pinned(tensor) else self.copied(tensor)

    def copied(self, tensor: torch.Tensor) -> torch.Tensor:
        copy = tensor.clone()
        self._own[copy.untyped_storage().data_ptr()] = copy.untyped_storage()
        self.pinned.append(copy.nbytes)
        return copy


def mapped(address: int) -> bool:
    """Whether an address of this process may be read, as far as Linux tells."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return True
    ranges = [[int(end, 16) for end in line.split(" ")[0].split("-")] for line in lines]
    return any(start <= address < end for start, end in ranges)


class Event:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda, self._done = cuda, False

    def query(self) -> bool:
        self._done = self._done or not self._cuda.copying
        return self._done

    def synchronize(self) -> None:
        self._done = True
        self._cuda.waited += 1


class Stream:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda

    def record_event(self) -> Event:
        return Event(self._cuda)

    def wait_stream(self, other: Stream) -> None: ...

    def synchronize(self) -> None:
        self._cuda.on_synchronize()


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """The GPU of this process; its tensors stand in ordinary memory."""
    gc.collect()
    fake, to, empty_like = FakeCuda(), torch.Tensor.to, torch.empty_like
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    for name, value in {
        "cudart": lambda: fake,
        "device": lambda device: nullcontext(),
        "current_device": lambda: 0,
        "Stream": lambda device: Stream(fake),
        "stream": lambda stream: nullcontext(),
        "current_stream": lambda device: Stream(fake),
        "CudaError": lambda code: RuntimeError(f"code {code}"),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    for name, method in {
        "is_pinned": fake.is_pinned,
        "pin_memory": fake.pin_memory,
        "record_stream": lambda tensor, stream: None,
    }.items():
        monkeypatch.setattr(torch.Tensor, name, lambda tensor, *rest, method=method: method(tensor, *rest))
    monkeypatch.setattr(torch, "ones", lambda *shape, device: None)

    def moved(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        there = args and str(args[0]) == "cuda"
        return tensor.clone() if there else to(tensor, *args, **kwargs)

    def like(tensor: torch.Tensor, *args: Any, pin_memory: bool = False, **kwargs: Any) -> torch.Tensor:
        return fake.copied(tensor) if pin_memory else empty_like(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", moved)
    monkeypatch.setattr(torch, "empty_like", like)
    return fake
