"""An object as a file: read at any place, in blocks that are kept, or through a stream that seeks."""

from __future__ import annotations

import io
from collections import OrderedDict
from typing import Protocol

from vjepa_pipe.config.urls import shown_path
from vjepa_pipe.storage.answers import Answer, Facts
from vjepa_pipe.storage.urls import name_of

BLOCK_BYTES = 256 << 10
LARGEST_REQUEST = 4
"""Blocks asked for at once, where reading goes on from block to block."""

KEPT = 32
"""Blocks kept of each open object: 8 MiB."""


class Reads(Protocol):
    """Gives bytes `start` to `end` of an object that must still be what is known of it."""

    def __call__(self, url: str, start: int, end: int, known: Facts) -> Answer:
        """See `Storage.read_range`."""


class RemoteFile:
    """An object that is open for reading; nothing need be closed.

    Args:
        url: The object.
        read: Makes a request.
        first: Its first block, or all of it.

    Attributes:
        facts: Size and version when it was opened; an object that has changed since is not read on.
        bytes_read: Bytes that have come so far.
    """

    def __init__(self, url: str, read: Reads, first: Answer) -> None:
        self._url, self._read = url, read
        self.facts: Facts = first.facts
        self._blocks = OrderedDict({0: first.data})
        self._kept: dict[int, bytes] = {}
        self.bytes_read = len(first.data)
        self._next = 1  # the block after the last one that was asked for

    def __str__(self) -> str:
        return shown_path(self._url)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return name_of(self._url)

    def read_at(self, start: int, size: int) -> bytes:
        """Bytes from a place on: `size`, or fewer at the end.

        Raises:
            ObjectError: If it cannot be read, or has changed since it was opened.
            StorageError: If its store does not answer.
        """
        end, parts = min(start + size, self.facts.size), []
        while start < end:
            number, offset = divmod(start, BLOCK_BYTES)
            part = self._block(number, -(-end // BLOCK_BYTES))[offset : offset + end - start]
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def keep(self, start: int, end: int) -> None:
        """Read a stretch with one request, and keep it as long as the object is open; errors as for `read_at`."""
        blocks = range(start // BLOCK_BYTES, -(-min(end, self.facts.size) // BLOCK_BYTES))
        self._kept |= {number: self._blocks[number] for number in blocks if number in self._blocks}
        if missing := [number for number in blocks if number not in self._kept]:
            self._kept |= self._ask_for(range(missing[0], missing[-1] + 1))

    def stream(self) -> io.RawIOBase:
        """A place in it that moves as it is read; each stream has its own, the blocks are shared."""
        return _Stream(self)

    def _block(self, number: int, wanted_to: int) -> bytes:
        """A block; those that follow come along if they are wanted too, or probably will be."""
        if number in self._kept:
            return self._kept[number]
        if number not in self._blocks:
            last = number + LARGEST_REQUEST if number == self._next else min(wanted_to, number + LARGEST_REQUEST)
            missing = range(number, min(last, -(-self.facts.size // BLOCK_BYTES)))
            self._blocks |= self._ask_for(missing)
            self._next = missing.stop
            while len(self._blocks) > KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _ask_for(self, blocks: range) -> dict[int, bytes]:
        start, end = blocks.start * BLOCK_BYTES, min(blocks.stop * BLOCK_BYTES, self.facts.size)
        data = self._read(self._url, start, end, self.facts).data
        self.bytes_read += len(data)
        return {each: data[i * BLOCK_BYTES : (i + 1) * BLOCK_BYTES] for i, each in enumerate(blocks)}


class _Stream(io.RawIOBase):
    def __init__(self, file: RemoteFile) -> None:
        self._file, self._place = file, 0
        self.name = file.name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.facts.size}[whence]
        if start + offset < 0:
            raise ValueError(f"a place in a file must be >= 0 (got {start + offset})")
        self._place = start + offset
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read_at(self._place, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
