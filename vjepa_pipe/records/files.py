"""Writing files so that a reader, or a crash, never meets half of one."""

from __future__ import annotations

import dataclasses
import filecmp
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from vjepa_pipe.config.build import build
from vjepa_pipe.config.errors import UserError

T = TypeVar("T")
MAX_JSON_BYTES = 2**27
"""The plan of a hundred thousand points is a third of this."""
MAX_DIGITS = 100
"""Of a whole number, so that every one that is read fits a float."""


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
    """The content of a JSON file, of which nothing is believed but that it is JSON of a bounded size.

    Raises:
        UserError: If it cannot be read, is too large, is not JSON, or holds whole numbers of absurd size.
    """
    try:
        if not file.is_file():  # a pipe or a device would be waited for, or read without end
            raise UserError(f"cannot read {file}: {'it is no file' if file.exists() else 'no such file'}")
        with file.open("rb") as stream:
            content = stream.read(MAX_JSON_BYTES + 1)
        if len(content) > MAX_JSON_BYTES:
            raise UserError(f"{file} is larger than {MAX_JSON_BYTES} bytes: no record is")
        return json.loads(content.decode("utf-8"), parse_int=_whole_number)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except RecursionError as error:
        raise UserError(f"{file} is not a record: it is nested too deeply") from error
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}") from error


def read_mapping(file: Path) -> dict[str, Any]:
    """The content of a JSON file that holds names and their values.

    Raises:
        UserError: As `read_json`, or if it holds something else.
    """
    content = read_json(file)
    if not isinstance(content, dict):
        raise UserError(f"{file} is damaged: it must hold a mapping, not {type(content).__name__}")
    return content


def read_record(file: Path, form: type[T]) -> T:
    """The content of a JSON file as the dataclass that it was written from.

    Raises:
        UserError: As `read_json`, or naming every value that is missing, unknown or of another type.
    """
    content = read_mapping(file)
    required = {field.name for field in dataclasses.fields(form) if _is_required(field)}  # type: ignore[arg-type]
    if missing := sorted(required - set(content)):
        raise UserError(f"{file} is damaged: it lacks {', '.join(missing)}")
    faults: list[str] = []
    try:
        built: T = build(form, content, "", faults, {})
    except TypeError as error:  # a part of it lacks a value
        raise UserError(f"{file} is damaged: {error}") from error
    if faults:
        raise UserError(f"{file} is damaged: {'; '.join(faults)}")
    return built


def inside(folder: Path, name: str) -> Path:
    """What a file or folder that a record names is, which must be in the record's own folder.

    Raises:
        UserError: If the name leads anywhere else: by `..`, from the root, or through a link.
    """
    parts = Path(name).parts
    if parts and not Path(name).is_absolute() and ".." not in parts and "\0" not in name:
        found = folder / name
        try:
            within = found.resolve().is_relative_to(folder.resolve())
        except (OSError, RuntimeError):  # a circle of links
            within = False
        if within:
            return found
    raise UserError(f"{folder} names {name!r}, which is not in that folder")


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _whole_number(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a whole number has {len(text)} digits")
    return int(text)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
