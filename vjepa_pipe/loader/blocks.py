"""Memory that is used again once nothing looks at it any more.

A float batch of 8 clips is 100 MB. The kernel fills fresh memory with zeros, page by page, when it is first touched,
which costs a fifth of what decoding does. So a worker writes its batches into the same few blocks over and over: a
block is free again when the trainer has dropped the batch and every view of it.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import weakref
from collections import Counter, deque
from collections.abc import Callable, Sequence
from multiprocessing import parent_process
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.multiprocessing
from torch import Tensor

from vjepa_pipe.loader.channel import close_all


class _Lent(NamedTuple):
    """What crosses to the main process in place of a tensor; its memory only the first time."""

    number: int
    memory: Tensor | None
    dtype: str
    elements: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


class _Shared(NamedTuple):
    """What crosses in place of shared memory: torch would have the main process ask a thread of the worker for it."""

    place: int
    size: int


class Blocks:
    """The blocks of the process that fills them; in a worker they are shared with the main process."""

    def __init__(self) -> None:
        self._memory: list[Tensor] = []
        self._number_at: dict[int, int] = {}
        self._free: list[int] = []
        self._users: Counter[int] = Counter()
        self._known: set[int] = set()

    def new(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """An unfilled tensor; its memory is used again when it, every view of it, and every copy lent are gone."""
        kind = _numpy_type(dtype)
        if kind is None:
            return torch.empty(tuple(shape), dtype=dtype)
        size = math.prod(shape) * kind.itemsize
        number = next((number for number in reversed(self._free) if self._memory[number].numel() >= size), None)
        if number is None:
            number = self._add(size)
        else:
            self._free.remove(number)
        self._users[number] += 1
        return _look(self._memory[number], kind, shape, self._drop, number)

    def give_back(self, numbers: Sequence[int]) -> None:
        """The main process has dropped what was lent to it in these blocks."""
        for number in numbers:
            self._drop(number)

    def dumps(self, value: Any) -> tuple[bytes, list[int]]:
        """Pickle a value for the main process; tensors in blocks are lent, not copied.

        Returns:
            The pickle, and descriptors of the shared memory that tensors in it stand in, for the caller to close.
        """
        file = io.BytesIO()
        pickler = _LendingPickler(file, self)
        try:
            pickler.dump(value)
        except BaseException:
            close_all(pickler.fds)
            raise
        return file.getvalue(), pickler.fds

    def lend(self, tensor: Tensor) -> _Lent | None:
        """What the main process needs to look at a tensor in its block; None if it is in none."""
        number = self._number_at.get(tensor.untyped_storage().data_ptr()) if tensor.numel() else None
        kind = _numpy_type(tensor.dtype)
        # The block itself, on its way to be known, goes as torch sends it.
        if number is None or kind is None or tensor is self._memory[number]:
            return None
        assert self._memory[number].is_shared(), "only a worker lends"  # type: ignore[no-untyped-call]
        self._users[number] += 1
        memory = None if number in self._known else self._memory[number]
        self._known.add(number)
        elements = tensor.untyped_storage().nbytes() // kind.itemsize
        return _Lent(
            number, memory, kind.str, elements, tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset())
        )

    def _add(self, size: int) -> int:
        memory = torch.empty(0, dtype=torch.uint8)
        if parent_process() is not None:
            storage = torch.UntypedStorage._new_shared(size, device="cpu")  # type: ignore[no-untyped-call]
            memory.set_(storage)  # shared as torch's own default_collate does
        else:
            memory.resize_(size)
        self._memory.append(memory)
        number = len(self._memory) - 1
        self._number_at[memory.data_ptr()] = number
        return number

    def _drop(self, number: int) -> None:
        self._users[number] -= 1
        if not self._users[number]:
            self._free.append(number)


class BorrowedBlocks:
    """One worker's blocks, as the main process sees them."""

    def __init__(self) -> None:
        self._memory: dict[int, Tensor] = {}
        self._dropped: deque[int] = deque()

    def loads(self, data: bytes, fds: Sequence[int] = ()) -> Any:
        """What the worker's `Blocks.dumps` pickled; the descriptors are closed."""
        try:
            return _BorrowingUnpickler(io.BytesIO(data), self, fds).load()
        finally:
            close_all(fds)

    def dropped(self) -> list[int]:
        """A block's number for each tensor that is gone and was not told of yet, for `Blocks.give_back`."""
        return [self._dropped.popleft() for _ in range(len(self._dropped))]

    def borrow(self, lent: _Lent) -> Tensor:
        """A tensor in the worker's block."""
        if lent.memory is not None:
            self._memory[lent.number] = lent.memory
        memory, kind = self._memory[lent.number], np.dtype(lent.dtype)
        whole = _look(memory, kind, (lent.elements,), self._dropped.append, lent.number)
        return whole.as_strided(lent.shape, lent.stride, lent.offset)


class _LendingPickler(ForkingPickler):
    def __init__(self, file: io.BytesIO, blocks: Blocks) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._blocks = blocks
        self.fds: list[int] = []
        self._shared: dict[int, tuple[_Shared, torch.UntypedStorage]] = {}

    def persistent_id(self, value: Any) -> _Lent | _Shared | None:
        if type(value) is Tensor:
            return self._blocks.lend(value)
        if type(value) is torch.UntypedStorage and value.device.type == "cpu" and value.nbytes() and _by_descriptor():
            return self._share(value)
        return None

    def _share(self, storage: torch.UntypedStorage) -> _Shared:
        fd, size = storage._share_fd_cpu_()
        if fd not in self._shared:  # the storage is kept too: without it the number could come to mean another
            self._shared[fd] = _Shared(len(self.fds), size), storage
            self.fds.append(os.dup(fd))
        return self._shared[fd][0]


class _BorrowingUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, blocks: BorrowedBlocks, fds: Sequence[int]) -> None:
        super().__init__(file)
        self._blocks, self._fds = blocks, fds
        self._shared: dict[int, torch.UntypedStorage] = {}

    def persistent_load(self, value: _Lent | _Shared) -> Tensor | torch.UntypedStorage:
        if isinstance(value, _Lent):
            return self._blocks.borrow(value)
        if value.place not in self._shared:
            fd = self._fds[value.place]
            self._shared[value.place] = torch.UntypedStorage._new_shared_fd_cpu(fd, value.size)  # type: ignore[attr-defined]
        return self._shared[value.place]


def _look(
    memory: Tensor, kind: np.dtype[Any], shape: Sequence[int], gone: Callable[[int], None], number: int
) -> Tensor:
    """A tensor at the start of a block; `gone(number)` is called when it and all its views are no more."""
    array = memory.numpy()[: math.prod(shape) * kind.itemsize].view(kind).reshape(tuple(shape))
    # torch keeps this very array for as long as anything looks at the tensor's memory.
    weakref.finalize(array, gone, number).atexit = False
    return torch.from_numpy(array)


def _by_descriptor() -> bool:
    return bool(torch.multiprocessing.get_sharing_strategy() == "file_descriptor")  # type: ignore[no-untyped-call]


def _numpy_type(dtype: torch.dtype) -> np.dtype[Any] | None:
    try:
        return torch.empty(0, dtype=dtype).numpy().dtype
    except TypeError:  # bfloat16 and the like
        return None
