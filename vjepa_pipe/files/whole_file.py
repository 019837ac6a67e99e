"""Writing files so that a reader, a crash or a full disk never meets half of one."""

from __future__ import annotations

import filecmp
import os
import re
import tempfile
import time
import uuid
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vjepa_pipe.config.errors import UserError


def write_whole(file: Path, text: str) -> None:
    """Write a file under another name, then rename it.

    Raises:
        UserError: If it cannot be written; a file of that name stays as it was.
    """
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101
        os.replace(temporary, file)  # noqa: PTH105
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def draft_of(file: Path) -> Path:
    """A new name beside a file, which `clear_drafts` knows."""
    return file.with_name(f".{file.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Fill a file under another name, which takes the place of `file` when the block ends well.

    Several processes may do so at once: each has a name of its own, and the last to end wins. An equal file stays as
    it is, with its time of change.

    Yields:
        The file to write.

    Raises:
        UserError: If it cannot be written; a file of that name stays as it was.
    """
    draft = draft_of(file)
    try:
        yield draft
        if not file.exists() or not filecmp.cmp(draft, file, shallow=False):
            draft.replace(file)
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


_DRAFT = re.compile(r"\.(.+)\.\d+\.[0-9a-f]{8}")


def clear_drafts(folder: Path, untouched_sec: float = 0.0, of: Container[str] | None = None) -> None:
    """Remove what `replacing` has left in a folder where its process was killed.

    Args:
        folder: The folder; it may be missing.
        untouched_sec: Only what has not been written for so long: others may be at work.
        of: Only what was to become a file of these names; None: all.
    """
    for entry in os.scandir(folder) if folder.is_dir() else ():
        draft = _DRAFT.fullmatch(entry.name)
        if draft and (of is None or draft[1] in of):
            with suppress(FileNotFoundError):  # another process was first
                if time.time() - entry.stat().st_mtime >= untouched_sec:
                    Path(entry.path).unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        UserError: If it cannot be made, or what has its name is not a directory.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}") from error


def append_whole(file: Path, content: bytes) -> None:
    """Append to a file that one process writes: all of it, or nothing where the disk is full.

    Raises:
        OSError: If it cannot be written.
    """
    end = None
    try:
        with file.open("ab") as stream:
            end = stream.tell()
            stream.write(content)
    except OSError:
        if end is not None:
            with suppress(OSError):
                os.truncate(file, end)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
