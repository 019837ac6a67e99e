"""What must hold of a file before it is opened."""

from __future__ import annotations

import os

from vjepa_pipe.files.regular_file import regular_file
from vjepa_pipe.video import VideoError


def check_file(path: str, max_file_bytes: int | None) -> os.stat_result:
    """Refuse what must not even be opened; a fifo, for one, would block for ever.

    Returns:
        What was found on looking at it.

    Raises:
        VideoError: It is no regular file, holds more than `max_file_bytes`, or cannot be looked at.
    """
    try:
        found = regular_file(path)
    except OSError as error:
        raise VideoError(path, error.strerror or str(error)) from error
    check_size(path, found.st_size, max_file_bytes)
    return found


def check_size(path: str, size: int | None, max_file_bytes: int | None) -> None:
    """Refuse a file, given how large it is, if that is known.

    Raises:
        VideoError: It holds more than `max_file_bytes`.
    """
    if size is not None and max_file_bytes is not None and size > max_file_bytes:
        raise VideoError(path, f"{size} bytes, more than max_file_bytes={max_file_bytes}")
