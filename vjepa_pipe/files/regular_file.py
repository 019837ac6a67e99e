"""Files that are safe to open: reading from a FIFO waits for ever, from a device it never ends."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

KINDS = {stat.S_IFDIR: "folder", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}


class NotAFile(OSError):
    """What a path names is no regular file; `strerror` says what it is."""


def regular_file(path: str | Path) -> os.stat_result:
    """What is found on looking at a file, which is not opened.

    Raises:
        OSError: There is none, or it is a folder, a FIFO, a socket or a device (`NotAFile`).
    """
    try:
        found = Path(path).stat()
    except ValueError as error:  # a path with a null byte
        raise NotAFile(errno.EINVAL, str(error), str(path)) from error
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "device")
        raise NotAFile(errno.EINVAL, f"not a file but a {kind}", str(path))
    return found


def change_stamp(file: Path) -> tuple[int, ...] | None:
    """What tells a file from what it was before it was written again; None if there is none, as behind a dead link."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def open_regular(path: str | Path) -> BinaryIO:
    """A file opened for reading bytes; errors as for `regular_file`."""
    regular_file(path)
    return Path(path).open("rb")


def read_regular(path: str | Path) -> str:
    """The text of a file, UTF-8; errors as for `regular_file`, and UnicodeDecodeError."""
    with open_regular(path) as file:
        return file.read().decode("utf-8")
