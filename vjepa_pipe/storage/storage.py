"""Storage: objects by their URLs, whichever store they lie in, and files of this machine where either can be named."""

from __future__ import annotations

import io
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import ConfigError, counted
from vjepa_pipe.config.storage import CachedStorageConfig, StorageConfig
from vjepa_pipe.config.urls import FROM_OBSTORE, is_remote, scheme_of, shown_path
from vjepa_pipe.files.glob import matches
from vjepa_pipe.files.regular_file import open_regular, regular_file
from vjepa_pipe.storage import fsspec_files
from vjepa_pipe.storage.answers import Answer, Facts, Listed
from vjepa_pipe.storage.errors import (
    NoSuchObject,
    NoSuchRange,
    NotAnObject,
    ObjectChanged,
    ObjectError,
    StorageError,
    Transient,
)
from vjepa_pipe.storage.pace import pace_of
from vjepa_pipe.storage.process import REQUESTS_AT_ONCE, perform, request_threads, require_obstore
from vjepa_pipe.storage.range_cache import RangeCache, range_cache
from vjepa_pipe.storage.ranges import RangesRead
from vjepa_pipe.storage.remote_file import BLOCK_BYTES, RemoteFile

PAGE = 10_000
"""Objects that are listed with one call, which a store may answer in several parts."""

CONFIRMED_SEC = 10.0
"""What was kept of an object is used without asking for so long after the store has shown that it is the same."""

CONFIRMED = 4096
"""Objects of which that is remembered."""

_JITTER = random.SystemRandom()  # another in each process, and no draw from the global generator


@dataclass(frozen=True)
class Storage:
    """Reads objects. It is small and can be pickled: connections are made where they are used.

    Every request has a time-out. One that fails for no fault of its object is sent again, `retries` times, later each
    time. If it still fails, the store is asked something else: when it answers, the object is at fault, else the store.

    Attributes:
        config: Settings.
    """

    config: StorageConfig = field(default_factory=StorageConfig)

    def open(self, url: str) -> RemoteFile:
        """Open an object, with one request, which brings its first block.

        Raises:
            ObjectError: If it cannot be read: it is gone or refused, or a folder.
            StorageError: If its store does not answer.
            UserError: If the library that reads it is not installed.
        """
        if url.endswith("/"):
            raise NotAnObject(url)
        try:
            first = self._first(url)
        except NoSuchObject as error:
            missing = error
        else:
            return RemoteFile(url, self.read_range, first)
        if self.is_folder(url):
            raise NotAnObject(url)
        raise missing

    def open_binary(self, path: str) -> IO[bytes]:
        """Open a file of this machine, or an object, to be read as bytes from its start.

        Raises:
            OSError: If it cannot be read; of an object, an `ObjectError`.
            StorageError: If its store does not answer.
        """
        return io.BufferedReader(self.open(path).stream()) if is_remote(path) else open_regular(path)

    def read_text(self, path: str) -> str:
        """The text of a file of this machine, or of an object, UTF-8; errors as for `open_binary`."""
        with self.open_binary(path) as stream:
            return stream.read().decode("utf-8")

    def find(self, folder: str, glob: str) -> list[str]:
        """The files below a folder, of this machine or of a store, folder by folder in the order of their names.

        Args:
            folder: The folder; it may have nothing in it, or not be there.
            glob: Which, by their paths below it, such as `*.csv` and `**/*.csv`.

        Raises:
            ObjectError: If it cannot be listed.
            StorageError: If its store does not answer.
        """
        if not is_remote(folder):
            return [str(path) for path in sorted(Path(folder).glob(glob))]
        root, wanted = f"{folder.rstrip('/')}/", glob.split("/")
        parts = (one.url.removeprefix(root).split("/") for one in self.list_below(folder))
        return [root + "/".join(found) for found in sorted(parts) if matches(found, wanted)]

    def identity(self, path: str) -> tuple[str, int, int | str]:
        """What tells one state of a file from another: its path, size, and time of change in ns, or version.

        Raises:
            OSError: If it cannot be looked at; of an object, an `ObjectError`.
            StorageError: If its store does not answer.
        """
        if is_remote(path):
            return shown_path(path), *self.facts(path)
        found = regular_file(path)
        return path, found.st_size, found.st_mtime_ns

    def is_file(self, path: str) -> bool:
        """Whether there is a file of this machine, or an object; errors as for `read_range`."""
        if not is_remote(path):
            return Path(path).is_file()
        try:
            return bool(self.facts(path))
        except NoSuchObject:
            return False

    def is_folder(self, path: str) -> bool:
        """Whether a path names a folder: of a store, something that has objects below it; of a web server, never."""
        if not is_remote(path):
            return Path(path).is_dir()
        try:
            return bool(self.list_below(path, most=1))
        except ObjectError:
            return False

    def require(self, url: str) -> None:
        """Find out whether objects like this one can be read here, without a request.

        Raises:
            UserError: If the library that reads it is not installed, or nobody knows its scheme.
        """
        if scheme_of(url) in FROM_OBSTORE:
            require_obstore()
        else:
            fsspec_files.file_system(url)

    def read_range(self, url: str, start: int, end: int, known: Facts | None = None) -> Answer:
        """The bytes `start` to `end` of an object.

        Args:
            url: The object.
            start: First byte.
            end: After the last byte, at most its size.
            known: What it must still be; None: anything.

        Raises:
            ObjectError: If it cannot be read, or is another one by now.
            StorageError: If its store does not answer.
        """
        if known is None or not known.version or (cache := self._cache) is None:
            return self._read_fresh(url, start, end, known)
        head, tail = cache.get(url, known, start, end)
        first, last = start + len(head), end - len(tail)
        if first < last:
            found = self._read_fresh(url, first, last, known).data
            cache.put(url, known, first, found)
            return Answer(head + found + tail, known, at_hand=bool(head or tail))
        if not _is_confirmed(url, known):
            self._read_fresh(url, start, start + 1, known)
        return Answer(head, known, at_hand=True)

    def require_cache(self) -> None:
        """Find out whether what is read can be kept, if it is to be.

        Raises:
            ConfigError: If it cannot.
        """
        if (cache := self._cache) is not None:
            cache.require()

    @property
    def _cache(self) -> RangeCache | None:
        if not isinstance(self.config, CachedStorageConfig):
            return None
        try:
            folder = self.config.folder
        except RuntimeError as error:
            raise ConfigError(["storage.cache_dir must be set: there is no home folder"]) from error
        return range_cache(folder, int(self.config.cache_gb * 1e9))

    def _read_fresh(self, url: str, start: int, end: int, known: Facts | None) -> Answer:
        try:
            answer: Answer = self._tried("read", url, start, end, known)
        except NoSuchRange:
            if known is None:
                raise
            raise ObjectChanged(url) from None
        if known is not None and answer.facts != known:
            raise ObjectChanged(url)
        _confirm(url, answer.facts)
        return answer

    def ranges(self, url: str, ranges: NDArray[np.int64], known: Facts) -> RangesRead:
        """Several ranges of an object, which can be asked for before they are needed; nothing is asked for yet.

        Args:
            url: The object.
            ranges: First byte and size of each; int64 [ranges, 2].
            known: What the object must still be.
        """
        # Those that wait for `bytes_per_second` have had their turn: what is needed now must not stand behind many.
        at_once = 1 if self.config.bytes_per_second else REQUESTS_AT_ONCE
        return RangesRead(self.read_range, url, ranges, known, request_threads(at_once))

    def facts(self, url: str) -> Facts:
        """Size and version of an object; errors as for `read_range`."""
        found: Facts = self._tried("facts", url)
        return found

    def list_below(self, url: str, most: int | None = None) -> list[Listed]:
        """The objects below a folder, in the order of their names; errors as for `read_range`.

        Each request brings up to `PAGE`.

        Args:
            url: The folder.
            most: How many at most; None: all.
        """
        if scheme_of(url) in ("http", "https"):
            raise ObjectError(url, "its files cannot be listed, as web servers do not do that")
        found: list[Listed] = []
        while most is None or len(found) < most:
            wanted = PAGE if most is None else min(PAGE, most - len(found))
            after = found[-1].url if found else None
            page = self._tried("list_below", f"{url.rstrip('/')}/", wanted, after)
            found += page
            if len(page) < wanted:
                break
        return found

    def _first(self, url: str) -> Answer:
        try:
            return self.read_range(url, 0, BLOCK_BYTES)
        except NoSuchRange:  # as none fits an empty object
            if (found := self.facts(url)).size:
                raise
            return Answer(b"", found)

    def _tried(self, operation: str, url: str, *arguments: Any) -> Any:
        for wait in (0.0, *self.config.waits()):
            if wait:
                time.sleep(wait * _JITTER.uniform(0.5, 1))
            try:
                result = self._ask(operation, url, *arguments)
                if operation == "read":
                    _check_length(result, *arguments[:2])
                return result
            except Transient as error:
                fault = str(error)
        if self._ask_whether_it_answers(url):
            tries = counted(self.config.retries + 1, "time")
            raise ObjectError(url, f"{fault}, {tries}, while its store answers")
        root = "/".join(shown_path(url).split("/")[:3])
        raise StorageError(f"{root} cannot be read: {fault}")

    def _ask(self, operation: str, url: str, *arguments: Any) -> Any:
        if operation == "read" and self.config.bytes_per_second is not None:
            pace_of(self.config.bytes_per_second).wait(arguments[1] - arguments[0])
        if scheme_of(url) in FROM_OBSTORE:
            return perform(operation, self.config, url, *arguments)
        return getattr(fsspec_files, operation)(self.config, url, *arguments)

    def _ask_whether_it_answers(self, url: str) -> bool:
        try:
            return bool(self._ask("answers", url))
        except Transient:
            return False


_confirmed: dict[str, tuple[Facts, float]] = {}


def _confirm(url: str, facts: Facts) -> None:
    if len(_confirmed) >= CONFIRMED:
        _confirmed.clear()
    _confirmed[url] = facts, time.monotonic()


def _is_confirmed(url: str, known: Facts) -> bool:
    facts, seen = _confirmed.get(url, (None, 0.0))
    return facts == known and time.monotonic() - seen < CONFIRMED_SEC


def _check_length(answer: Answer, start: int, end: int) -> None:
    if len(answer.data) != min(end, answer.facts.size) - start:
        raise Transient(f"it sent {len(answer.data)} bytes of {min(end, answer.facts.size) - start}")
