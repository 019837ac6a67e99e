"""What goes wrong with files at URLs; no message holds more of a URL than `shown_path` gives."""

from __future__ import annotations

import errno

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.urls import shown_path


class ObjectError(OSError):
    """One object cannot be read: it is gone, refused or changed, or fails while its store answers others.

    Attributes:
        reason: What is wrong with it, on one line; `strerror` says the same, as for files of this machine.

    Args:
        url: The object.
        reason: See above.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(errno.EIO, reason, shown_path(url))
        self.reason = reason
        self._arguments = (shown_path(url), reason)

    def __str__(self) -> str:
        return ": ".join(self._arguments)

    def __reduce__(self) -> tuple[type[ObjectError], tuple[str, str]]:
        return type(self), self._arguments


class NoSuchObject(ObjectError, FileNotFoundError):
    """There is nothing of this name."""


class NotAnObject(ObjectError, IsADirectoryError):
    """There are objects below this name, which a file system would call a folder."""

    def __init__(self, url: str, reason: str = "not a file but a folder") -> None:
        super().__init__(url, reason)


class NoSuchRange(ObjectError):
    """It ends before the bytes that were asked for."""


class ObjectChanged(ObjectError):
    """It is another one than it was when it was opened."""

    def __init__(self, url: str, reason: str = "has changed while it was read") -> None:
        super().__init__(url, reason)


class StorageError(UserError):
    """A store cannot be used at all, so no file of it is to blame: it does not answer, or refuses the credentials."""


class Transient(Exception):
    """A request failed in a way that another one need not; the text says how."""
