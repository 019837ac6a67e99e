"""Ranges of objects kept on disk, for all processes of a machine, within a size.

A range is a file of its own, with a checksum, that is renamed to its name once it is whole:
`FOLDER/HASH/START-END`, where the hash is of the object's URL, size and version. So an object that has changed has
other files, no name tells a URL, and readers need no lock. Writers hold one, under which the sum of all sizes is
noted before a file is written: a process that is killed leaves a sum that is too high, never one that is too low,
and it is counted anew when room is made.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.files.whole_file import draft_of
from vjepa_pipe.storage.answers import Facts

LOCK = "size"
"""The file that is locked, and holds the sum of all sizes."""

KEPT = 0.9
"""Share of the size that is left when room is made, so that it is not made for each range."""

LOCK_WAITS = tuple(0.002 * 2**again for again in range(9))
"""Seconds between tries to lock, 1 s together; a range that finds no turn is not kept."""

PAUSE_SEC = 60.0
"""Nothing is kept for so long after the disk has refused something."""

_BLOCK = 4096
_CHECKSUM = 4
_NAME = re.compile(r"(\d{1,18})-(\d{1,18})")
_DRAFT = re.compile(r"\.\d+-\d+\.\d+\.[0-9a-f]{8}")
_FOLDER = re.compile(r"[0-9a-f]{40}")

logger = logging.getLogger(__name__)


class _File(NamedTuple):
    used: int
    size: int
    path: str


class RangeCache:
    """Ranges on disk.

    Args:
        folder: Where they are.
        most_bytes: What they may take together; the least recently used go first.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._paused_until, self._told = 0.0, False

    def require(self) -> None:
        """Find out whether ranges can be kept.

        Raises:
            ConfigError: If the folder cannot be made or written.
        """
        try:
            with self._locked():
                draft = draft_of(self._folder / "0-0")
                draft.write_bytes(bytes(_BLOCK))
                draft.unlink()
        except OSError as error:
            raise ConfigError([f"storage.cache_dir: {self._folder} cannot be written: {error.strerror}"]) from error

    def get(self, url: str, known: Facts, start: int, end: int) -> tuple[bytes, bytes]:
        """What is kept of a range: from its start on, and up to its end; all of it is in the first.

        Args:
            url: The object.
            known: What it is.
            start: First byte.
            end: After the last byte.
        """
        folder = self._of(url, known)
        try:
            names = [entry.name for entry in os.scandir(folder)]
        except OSError:
            return b"", b""
        kept = [(int(found[1]), int(found[2])) for name in names if (found := _NAME.fullmatch(name))]
        head, tail = bytearray(), b""
        while start < end and (one := _longest(kept, start, forward=True)):
            kept.remove(one)
            data = _contents(folder / f"{one[0]}-{one[1]}")[start - one[0] : end - one[0]]
            head, start = head + data, start + len(data)
        while start < end and (one := _longest(kept, end, forward=False)):
            kept.remove(one)
            data = _contents(folder / f"{one[0]}-{one[1]}")[max(0, start - one[0]) : end - one[0]]
            tail, end = data + tail, end - len(data)
        return bytes(head), tail

    def put(self, url: str, known: Facts, start: int, data: bytes) -> None:
        """Keep a range, if the disk has room for it; a warning says once if it has not.

        Args:
            url: The object.
            known: What it is.
            start: First byte.
            data: The bytes from there on.
        """
        file = self._of(url, known) / f"{start}-{start + len(data)}"
        size = _rounded(len(data) + _CHECKSUM)
        if not data or size > self._most or time.monotonic() < self._paused_until:
            return
        try:
            with self._locked() as lock:
                if lock is not None and not file.exists():
                    self._write(lock, file, size, data)
        except OSError as error:
            self._paused_until = time.monotonic() + PAUSE_SEC
            if not self._told:
                logger.warning("storage.cache_dir: %s: ranges are not kept now: %s", self._folder, error.strerror)
            self._told = True

    def _of(self, url: str, known: Facts) -> Path:
        return self._folder / sha256(repr((url, *known)).encode("utf-8", "surrogateescape")).hexdigest()[:40]

    def _write(self, lock: int, file: Path, size: int, data: bytes) -> None:
        noted = os.pread(lock, 32, 0)
        total = int(noted) if noted.isdigit() else self._room(self._most)
        if total + size > self._most:
            total = self._room(min(int(KEPT * self._most), self._most - size))
        _note(lock, total + size)
        file.parent.mkdir(exist_ok=True)
        draft = draft_of(file)
        try:
            with draft.open("wb") as stream:
                stream.write(data)
                stream.write(zlib.crc32(data).to_bytes(_CHECKSUM))
            draft.rename(file)
        except OSError:
            draft.unlink(missing_ok=True)
            _note(lock, total)
            raise

    def _room(self, most: int) -> int:
        """Remove what was used least recently until the rest takes no more than `most`; what it takes then.

        What writers that were killed have left goes too: the lock says that none is at work.
        """
        files: list[_File] = []
        for folder in os.scandir(self._folder):
            for entry in os.scandir(folder) if _FOLDER.fullmatch(folder.name) else ():
                whole, draft = _NAME.fullmatch(entry.name), _DRAFT.fullmatch(entry.name)
                if whole or draft:
                    facts = entry.stat(follow_symlinks=False)
                    files.append(_File(facts.st_mtime_ns if whole else 0, _rounded(facts.st_size), entry.path))
        total = sum(file.size for file in files)
        for file in sorted(files):
            if file.used and total <= most:
                break
            path = Path(file.path)
            path.unlink(missing_ok=True)
            with suppress(OSError):  # others are in it
                path.parent.rmdir()
            total -= file.size
        return total

    @contextmanager
    def _locked(self) -> Iterator[int | None]:
        """The lock, open; None if others have held it all the time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            for wait in LOCK_WAITS:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(wait)
                else:
                    yield lock
                    return
            yield None
        finally:
            os.close(lock)


@cache
def range_cache(folder: Path, most_bytes: int) -> RangeCache:
    """The one of this process for a folder and a size."""
    return RangeCache(folder, most_bytes)


def _longest(kept: list[tuple[int, int]], place: int, *, forward: bool) -> tuple[int, int] | None:
    """The range that reaches furthest from a place on, or from it back."""
    if forward:
        return max((one for one in kept if one[0] <= place < one[1]), key=lambda one: one[1], default=None)
    return min((one for one in kept if one[0] < place <= one[1]), default=None)


def _contents(file: Path) -> bytes:
    """The bytes of a range, which counts as used now; none if it is gone or damaged."""
    try:
        data = file.read_bytes()
    except OSError:
        return b""
    with suppress(OSError):  # in a folder that is only read here
        os.utime(file)
    start, _, end = file.name.partition("-")
    whole = len(data) == int(end) - int(start) + _CHECKSUM
    if whole and zlib.crc32(memoryview(data)[:-_CHECKSUM]) == int.from_bytes(data[-_CHECKSUM:]):
        return data[:-_CHECKSUM]
    with suppress(OSError):  # as a machine that lost power leaves it
        file.unlink()
    return b""


def _note(lock: int, total: int) -> None:
    os.pwrite(lock, b"%020d" % total, 0)


def _rounded(size: int) -> int:
    """What a file of this size takes."""
    return -(-size // _BLOCK) * _BLOCK
