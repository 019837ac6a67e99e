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
    if max_file_bytes is not None and found.st_size > max_file_bytes:
        raise VideoError(path, f"{found.st_size} bytes, more than max_file_bytes={max_file_bytes}")
    return found
