"""Limits on the files that are read."""

from __future__ import annotations

from pathlib import Path

from vjepa_pipe.video import VideoError


def check_size(path: str, max_file_bytes: int | None) -> None:
    """Refuse a file that is too large.

    Raises:
        VideoError: It holds more than `max_file_bytes`, or cannot be looked at.
    """
    if max_file_bytes is None:
        return
    try:
        size = Path(path).stat().st_size
    except OSError as error:
        raise VideoError(path, error.strerror or str(error)) from error
    if size > max_file_bytes:
        raise VideoError(path, f"{size} bytes, more than max_file_bytes={max_file_bytes}")
