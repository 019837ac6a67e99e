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
import numpy.typing as npt
import torch
import torch.multiprocessing
from torch import Tensor

from vjepa_pipe.loader.channel import close_all, file_of
from vjepa_pipe.loader.nested import tensors_in

SMALL_BYTES = 16 * 1024
"""Memory up to this size is copied with the pickle; a block would cost more."""

_GRAIN = 64 * 1024  # bytes that sizes of blocks are multiples of, so that masks of about a length share some

Bytes = npt.NDArray[np.uint8]


class _Lent(NamedTuple):
    """What crosses in place of memory in a block; the block itself only the first time."""

    place: int
    number: int
    block: _Shared | None
    size: int


class _Shared(NamedTuple):
    """What crosses in place of shared memory: torch would have the main process ask a thread of the worker for it."""

    place: int
    fd: int
    size: int


class _Copied(NamedTuple):
    """What crosses in place of a little memory."""

    place: int
    data: bytes


_Sent = _Lent | _Shared | _Copied


class Blocks:
    """The blocks of the process that fills them; in a worker they are shared with the main process."""

    def __init__(self) -> None:
        self._memory: list[Bytes] = []
        self._number_at: dict[int, int] = {}
        self._free: list[int] = []
        self._users: Counter[int] = Counter()
        self._files: dict[int, int] = {}  # descriptors of blocks that the main process does not know yet

    def __reduce__(self) -> tuple[Any, ...]:
        return Blocks, ()  # memory belongs to its process

    def new(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """An unfilled tensor; its memory is used again when it, every view of it, and every copy lent are gone.

        It takes the smallest free block of no more than twice its size, so that masks leave those of clips alone.
        """
        size = math.prod(shape) * dtype.itemsize
        room = max(1, -(-size // _GRAIN)) * _GRAIN
        fitting = [number for number in reversed(self._free) if room <= self._memory[number].nbytes <= 2 * room]
        if fitting:
            number = min(fitting, key=lambda number: self._memory[number].nbytes)
            self._free.remove(number)
        else:
            number = self._add(room)
        self._users[number] += 1
        storage = _look(self._memory[number], size, self._drop, number)
        # Not a view of something else, so that `_base` of its own views is this tensor.
        return torch.empty(0, dtype=dtype).set_(storage, 0, tuple(shape))  # type: ignore[call-overload,no-any-return]

    def give_back(self, numbers: Sequence[int]) -> None:
        """The main process has dropped what was lent to it in these blocks."""
        for number in numbers:
            self._drop(number)

    def dumps(self, value: Any) -> tuple[bytes, list[int]]:
        """Pickle a value for the main process; memory in blocks is lent, not copied, and other memory put into one.

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

    def lend(self, storage: torch.UntypedStorage, place: int, fds: list[int]) -> _Lent | None:
        """What the main process needs to look at memory in a block; None if it is in none.

        The descriptor of a block that it does not know yet is moved to `fds`.
        """
        number = self._number_at.get(storage.data_ptr())
        if number is None:
            return None
        self._users[number] += 1
        block = None
        if number in self._files:
            block = _Shared(place, len(fds), self._memory[number].nbytes)
            fds.append(self._files.pop(number))
        return _Lent(place, number, block, storage.nbytes())

    def _add(self, size: int) -> int:
        number = len(self._memory)
        if parent_process() is None:
            memory = torch.empty(size, dtype=torch.uint8).numpy()
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
        self._number_at[memory.ctypes.data] = number
        return number

    def _drop(self, number: int) -> None:
        self._users[number] -= 1
        if not self._users[number]:
            self._free.append(number)


class BorrowedBlocks:
    """One worker's blocks, as the main process sees them."""

    def __init__(self) -> None:
        self._memory: dict[int, Bytes] = {}
        self._locked: set[int] = set()
        self._dropped: deque[int] = deque()

    def loads(self, data: bytes, fds: Sequence[int] = (), page_lock: Callable[[Bytes], bool] | None = None) -> Any:
        """What the worker's `Blocks.dumps` pickled; the descriptors are closed.

        Args:
            data: The pickle.
            fds: The descriptors.
            page_lock: Page-locks blocks that are not yet; for callers who look after each tensor that `tensors_in`
                finds. Tensors elsewhere, in an object of somebody's own, never stand in a block that is locked: then
                all are copied.
        """
        unpickler = _BorrowingUnpickler(data, self, fds)
        try:
            value = unpickler.load()
        finally:
            close_all(fds)
        if page_lock is None and not self._locked:
            return value
        if unpickler.borrowed_by(value) != unpickler.uses:
            return unpickler.copied().load()
        if page_lock is not None:
            self._locked.update(
                number for number in unpickler.numbers - self._locked if page_lock(self._memory[number])
            )
        return value

    def dropped(self) -> list[int]:
        """A block's number for each tensor that is gone and was not told of yet, for `Blocks.give_back`."""
        return [self._dropped.popleft() for _ in range(len(self._dropped))]

    def borrow(self, lent: _Lent, block: Bytes | None) -> torch.UntypedStorage:
        """Memory in the worker's block, which is given the first time."""
        if block is not None:
            self._memory[lent.number] = block
        return _look(self._memory[lent.number], lent.size, self._dropped.append, lent.number)


class _LendingPickler(ForkingPickler):
    def __init__(self, file: io.BytesIO, blocks: Blocks) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._blocks = blocks
        self.fds: list[int] = []
        # The memory is kept too: without it the address could come to mean another.
        self._sent: dict[tuple[int, int], tuple[_Sent | None, torch.UntypedStorage]] = {}

    def persistent_id(self, value: Any) -> _Sent | None:
        if type(value) is not torch.UntypedStorage or value.device.type != "cpu" or not value.nbytes():
            return None
        known = value.data_ptr(), value.nbytes()
        if known not in self._sent:
            self._sent[known] = self._send(value, len(self._sent)), value
        return self._sent[known][0]

    def _send(self, storage: torch.UntypedStorage, place: int) -> _Sent | None:
        if (lent := self._blocks.lend(storage, place, self.fds)) is not None:
            return lent
        if storage.nbytes() <= SMALL_BYTES:
            return _Copied(place, _bytes_of(storage).numpy().tobytes())
        if storage.is_shared():  # by somebody's own collator, with torch's `default_collate`
            if not _by_descriptor():
                return None
            fd, size = storage._share_fd_cpu_()
            self.fds.append(os.dup(fd))
            return _Shared(place, len(self.fds) - 1, size)
        copy = self._blocks.new((storage.nbytes(),), torch.uint8)
        return self._blocks.lend(copy.copy_(_bytes_of(storage)).untyped_storage(), place, self.fds)


class _BorrowingUnpickler(pickle.Unpickler):
    """Gives what was pickled for the main process.

    Attributes:
        uses: How many tensors stand in blocks.
        numbers: Of these blocks.
    """

    def __init__(self, data: bytes, blocks: BorrowedBlocks, fds: Sequence[int]) -> None:
        super().__init__(io.BytesIO(data))
        self.uses = 0
        self.numbers: set[int] = set()
        self._data, self._blocks, self._fds = data, blocks, fds
        self._storages: dict[int, torch.UntypedStorage] = {}
        self._borrowed: set[int] = set()

    def persistent_load(self, sent: _Sent) -> torch.UntypedStorage:
        if sent.place not in self._storages:
            self._storages[sent.place] = self._received(sent)
        self.uses += isinstance(sent, _Lent)
        return self._storages[sent.place]

    def borrowed_by(self, value: Any) -> int:
        """How many of the tensors that `tensors_in` finds stand in blocks."""
        dense = {id(tensor): tensor for tensor in tensors_in(value) if tensor.layout == torch.strided}
        return sum(tensor.untyped_storage().data_ptr() in self._borrowed for tensor in dense.values())

    def copied(self) -> _BorrowingUnpickler:
        """The same again, in memory of its own."""
        again = _BorrowingUnpickler(self._data, self._blocks, ())
        again._storages = {
            place: _bytes_of(storage).clone().untyped_storage() for place, storage in self._storages.items()
        }
        return again

    def _received(self, sent: _Sent) -> torch.UntypedStorage:
        if isinstance(sent, _Copied):
            return torch.frombuffer(bytearray(sent.data), dtype=torch.uint8).untyped_storage()
        if isinstance(sent, _Shared):
            return torch.from_numpy(self._map(sent)).untyped_storage()
        storage = self._blocks.borrow(sent, None if sent.block is None else self._map(sent.block))
        self.numbers.add(sent.number)
        self._borrowed.add(storage.data_ptr())
        return storage

    def _map(self, shared: _Shared) -> Bytes:
        return _mapped(self._fds[shared.fd], shared.size)


def _look(memory: Bytes, size: int, gone: Callable[[int], None], number: int) -> torch.UntypedStorage:
    """The first bytes of a block; `gone(number)` is called when no tensor looks at them any more."""
    array = memory[:size]
    # torch keeps this very array for as long as anything looks at the memory, and the array keeps `memory`.
    weakref.finalize(array, gone, number).atexit = False
    return torch.from_numpy(array).untyped_storage()


def _mapped(fd: int, size: int) -> Bytes:
    """The memory behind a descriptor, which may be closed afterwards: batches that are kept cost none."""
    array: Bytes = torch.from_file(f"/dev/fd/{fd}", shared=True, size=size, dtype=torch.uint8).numpy()
    return array


def _bytes_of(storage: torch.UntypedStorage) -> Tensor:
    return torch.empty(0, dtype=torch.uint8).set_(storage)


def _by_descriptor() -> bool:
    return bool(torch.multiprocessing.get_sharing_strategy() == "file_descriptor")  # type: ignore[no-untyped-call]
