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

from vjepa_pipe.loader.channel import close_all, file_of

SMALL_BYTES = 16 * 1024
"""Memory up to this size is copied with the pickle; a file of its own would cost more."""


class _Lent(NamedTuple):
    """What crosses to the main process in place of a tensor; its memory only the first time."""

    number: int
    memory: _Shared | None
    dtype: str
    elements: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


class _Shared(NamedTuple):
    """What crosses in place of shared memory: torch would have the main process ask a thread of the worker for it."""

    place: int
    size: int


class _Copied(NamedTuple):
    """What crosses in place of a little memory."""

    place: int
    data: bytes


class Blocks:
    """The blocks of the process that fills them; in a worker they are shared with the main process."""

    def __init__(self) -> None:
        self._memory: list[Tensor] = []
        self._number_at: dict[int, int] = {}
        self._free: list[int] = []
        self._users: Counter[int] = Counter()
        self._files: dict[int, int] = {}  # descriptors of blocks that the main process does not know yet

    def __reduce__(self) -> tuple[Any, ...]:
        return Blocks, ()  # memory belongs to its process

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

    def lend(self, tensor: Tensor, fds: list[int]) -> _Lent | None:
        """What the main process needs to look at a tensor in its block; None if it is in none.

        The descriptor of a block that it does not know yet is moved to `fds`.
        """
        inside = tensor.layout == torch.strided and tensor.device.type == "cpu" and tensor.numel()
        number = self._number_at.get(tensor.untyped_storage().data_ptr()) if inside else None
        kind = _numpy_type(tensor.dtype)
        if number is None or kind is None:
            return None
        self._users[number] += 1
        memory = None
        if number in self._files:
            memory = _Shared(len(fds), self._memory[number].numel())
            fds.append(self._files.pop(number))
        elements = tensor.untyped_storage().nbytes() // kind.itemsize
        return _Lent(
            number, memory, kind.str, elements, tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset())
        )

    def _add(self, size: int) -> int:
        number = len(self._memory)
        if parent_process() is None:
            memory = torch.empty(size, dtype=torch.uint8)
        else:
            fd = file_of(b"")
            try:
                os.ftruncate(fd, size)
                memory = _mapped(fd, size)
            except BaseException:
                os.close(fd)
                raise
            self._files[number] = fd
        self._memory.append(memory)
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

    def borrow(self, lent: _Lent, memory: Tensor | None) -> Tensor:
        """A tensor in the worker's block, whose memory is given the first time."""
        if memory is not None:
            self._memory[lent.number] = memory
        memory, kind = self._memory[lent.number], np.dtype(lent.dtype)
        whole = _look(memory, kind, (lent.elements,), self._dropped.append, lent.number)
        return whole.as_strided(lent.shape, lent.stride, lent.offset)


class _LendingPickler(ForkingPickler):
    def __init__(self, file: io.BytesIO, blocks: Blocks) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._blocks = blocks
        self.fds: list[int] = []
        self._shared: dict[int, tuple[_Shared, torch.UntypedStorage]] = {}
        self._copied: dict[int, tuple[_Copied, torch.UntypedStorage]] = {}

    def persistent_id(self, value: Any) -> _Lent | _Shared | _Copied | None:
        if type(value) is Tensor:
            return self._blocks.lend(value, self.fds)
        if type(value) is torch.UntypedStorage and value.device.type == "cpu" and value.nbytes():
            if value.nbytes() <= SMALL_BYTES:
                return self._copy(value)
            return self._share(value) if _by_descriptor() else None
        return None

    def _copy(self, storage: torch.UntypedStorage) -> _Copied:
        place = storage.data_ptr()
        if place not in self._copied:
            data = torch.empty(0, dtype=torch.uint8).set_(storage).numpy().tobytes()
            self._copied[place] = _Copied(len(self._copied), data), storage
        return self._copied[place][0]

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
        self._shared: dict[int, Tensor] = {}
        self._copied: dict[int, Tensor] = {}

    def persistent_load(self, value: _Lent | _Shared | _Copied) -> Tensor | torch.UntypedStorage:
        if isinstance(value, _Lent):
            return self._blocks.borrow(value, None if value.memory is None else self._map(value.memory))
        known: dict[int, Tensor] = self._shared if isinstance(value, _Shared) else self._copied
        if value.place not in known:
            # A tensor keeps its memory; a storage that only stood in it would not.
            known[value.place] = self._map(value) if isinstance(value, _Shared) else _from_bytes(value.data)
        return known[value.place].untyped_storage()

    def _map(self, shared: _Shared) -> Tensor:
        return _mapped(self._fds[shared.place], shared.size)


def _look(
    memory: Tensor, kind: np.dtype[Any], shape: Sequence[int], gone: Callable[[int], None], number: int
) -> Tensor:
    """A tensor at the start of a block; `gone(number)` is called when it and all its views are no more."""
    array = memory.numpy()[: math.prod(shape) * kind.itemsize].view(kind).reshape(tuple(shape))
    # torch keeps this very array for as long as anything looks at the tensor's memory.
    weakref.finalize(array, gone, number).atexit = False
    return torch.from_numpy(array)


def _mapped(fd: int, size: int) -> Tensor:
    """The memory behind a descriptor, which may be closed afterwards: batches that are kept cost none."""
    return torch.from_file(f"/dev/fd/{fd}", shared=True, size=size, dtype=torch.uint8)


def _from_bytes(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _by_descriptor() -> bool:
    return bool(torch.multiprocessing.get_sharing_strategy() == "file_descriptor")  # type: ignore[no-untyped-call]


def _numpy_type(dtype: torch.dtype) -> np.dtype[Any] | None:
    try:
        return torch.empty(0, dtype=dtype).numpy().dtype
    except TypeError:  # bfloat16 and the like
        return None
