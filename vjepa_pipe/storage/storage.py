"""Storage: objects by their URLs, whichever store they lie in."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.config.urls import FROM_OBSTORE, scheme_of, shown_path
from vjepa_pipe.storage import fsspec_files
from vjepa_pipe.storage.answers import Answer, Facts, Listed
from vjepa_pipe.storage.errors import NoSuchObject, NoSuchRange, ObjectChanged, ObjectError, StorageError, Transient
from vjepa_pipe.storage.pace import pace_of
from vjepa_pipe.storage.process import perform, require_obstore
from vjepa_pipe.storage.remote_file import BLOCK_BYTES, RemoteFile

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
            raise ObjectError(url, "not a file but a folder")
        try:
            first = self._first(url)
        except NoSuchObject as error:
            missing = error
        else:
            return RemoteFile(url, self.read_range, first)
        if scheme_of(url) not in ("http", "https") and self._is_folder(url):
            raise ObjectError(url, "not a file but a folder")
        raise missing

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
        try:
            answer: Answer = self._tried("read", url, start, end, known)
        except NoSuchRange:
            if known is None:
                raise
            raise ObjectChanged(url) from None
        if known is not None and answer.facts != known:
            raise ObjectChanged(url)
        return answer

    def facts(self, url: str) -> Facts:
        """Size and version of an object; errors as for `read_range`."""
        found: Facts = self._tried("facts", url)
        return found

    def list_below(self, url: str, most: int | None = None) -> list[Listed]:
        """The objects below a folder, in the order of their names; errors as for `read_range`.

        Args:
            url: The folder.
            most: How many at most; None: all.
        """
        found: list[Listed] = self._tried("list_below", f"{url.rstrip('/')}/", most)
        return found

    def _first(self, url: str) -> Answer:
        try:
            return self.read_range(url, 0, BLOCK_BYTES)
        except NoSuchRange:  # as none fits an empty object
            if (found := self.facts(url)).size:
                raise
            return Answer(b"", found)

    def _is_folder(self, url: str) -> bool:
        try:
            return bool(self.list_below(url, most=1))
        except ObjectError:
            return False

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


def _check_length(answer: Answer, start: int, end: int) -> None:
    if len(answer.data) != min(end, answer.facts.size) - start:
        raise Transient(f"it sent {len(answer.data)} bytes of {min(end, answer.facts.size) - start}")
