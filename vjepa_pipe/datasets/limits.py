"""What must hold of a file before it is opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vjepa_pipe.video import VideoError

KINDS = {stat.S_IFDIR: "folder", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}


def check_file(path: str, max_file_bytes: int | None) -> os.stat_result:
    """Refuse what must not even be opened; a fifo, for one, would block for ever.

    Returns:
        What was found on looking at it.

    Raises:
        VideoError: It is no regular file, holds more than `max_file_bytes`, or cannot be looked at.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as error:
        raise VideoError(path, getattr(error, "strerror", None) or str(error)) from error
    if not stat.S_ISREG(found.st_mode):
        raise VideoError(path, f"not a file but a {KINDS.get(stat.S_IFMT(found.st_mode), 'device')}")
    if max_file_bytes is not None and found.st_size > max_file_bytes:
        raise VideoError(path, f"{found.st_size} bytes, more than max_file_bytes={max_file_bytes}")
    return found
