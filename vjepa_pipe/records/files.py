"""Writing files so that a reader, or a crash, never meets half of one."""

from __future__ import annotations

import filecmp
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Fill a file under another name, which takes the place of `file` when the block ends well.

    Several processes may do so at once: each has a name of its own, and the last to end wins. An equal file stays as
    it is, with its time of change.

    Yields:
        The file to write.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    try:
        yield draft
        if not file.exists() or not filecmp.cmp(draft, file, shallow=False):
            draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def write_json(file: Path, content: Any) -> None:
    """Write JSON whole; what JSON cannot hold is written as text.

    Raises:
        UserError: If it cannot be written.
    """
    write_whole(file, json.dumps(content, indent=2, default=str) + "\n")


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: If it cannot be read or is not JSON.
    """
    try:
        return json.loads(file.read_text())
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}") from error


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
