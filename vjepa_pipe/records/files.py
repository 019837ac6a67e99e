"""JSON files of records: written whole, and believed only as far as they were checked."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

from vjepa_pipe.config.build import build
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.files.whole_file import write_whole

T = TypeVar("T")
MAX_JSON_BYTES = 2**27
"""The plan of a hundred thousand points is a third of this."""


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
        if file.exists() and not file.is_file():  # a pipe or a device would be waited for, or read without end
            raise UserError(f"cannot read {file}: it is no file")
        with file.open("rb") as stream:
            content = stream.read(MAX_JSON_BYTES + 1)
        if len(content) > MAX_JSON_BYTES:
            raise UserError(f"{file} is larger than {MAX_JSON_BYTES} bytes: no record is")
        return parse_json(content)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{file} is damaged: {error}") from error


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
