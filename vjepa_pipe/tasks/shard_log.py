"""The log of a shard: a line of JSON for each file that is done, written as files are done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, get_origin, get_type_hints

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.files.regular_file import open_regular
from vjepa_pipe.files.whole_file import append_whole
from vjepa_pipe.sources.probed.index_file import Column

MAX_LINE_BYTES = 2**27
"""The key frames of a week of video whose frames are all key frames."""

Entry = dict[str, Any]

_OF_ALL = {Column.PATH: str, Column.STAMP: list, Column.ERROR: (str, type(None))}


def read_log(log: Path, result: type) -> Iterator[tuple[int, Entry]]:
    """The entries of an earlier run, each with its place in bytes; of several for one file the last counts.

    What is no entry, such as a line that was cut off while being written, is left out: its file is not done.

    Args:
        log: The log.
        result: A NamedTuple, whose fields an entry without an error has too.

    Raises:
        UserError: If the log cannot be read.
    """
    if not log.exists():
        return
    kinds = _kinds(result)
    try:
        with open_regular(log) as file:
            place = 0
            while line := file.readline(MAX_LINE_BYTES):
                if (entry := _parsed(line, kinds)) is not None:
                    yield place, entry
                place += len(line)
    except OSError as error:
        raise UserError(f"cannot read {log}: {error.strerror}") from error


def entry_at(log: BinaryIO, place: int, result: type) -> Entry:
    """The entry at a place that `read_log` gave.

    Raises:
        UserError: If the log has changed meanwhile.
    """
    log.seek(place)
    entry = _parsed(log.readline(MAX_LINE_BYTES), _kinds(result))
    if entry is None:
        raise UserError(f"{log.name} has changed while it was read; run this again")
    return entry


def append_entry(log: Path, line: bytes) -> None:
    """Write a line.

    Raises:
        UserError: If it cannot be written; what stands there stays.
    """
    try:
        append_whole(log, line)
    except OSError as error:
        raise UserError(f"cannot write {log}: {error.strerror}") from error


def _kinds(result: type) -> dict[str, Any]:
    return {
        name: get_origin(hint) or ((int, float) if hint is float else hint)
        for name, hint in get_type_hints(result).items()
    }


def _parsed(line: bytes, kinds: dict[str, Any]) -> Entry | None:
    try:
        entry = parse_json(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or not _fits(entry, _OF_ALL) or not _whole(entry[Column.STAMP]):
        return None
    if entry[Column.ERROR]:
        return entry
    lists = [values for values in entry.values() if isinstance(values, list)]
    numbers = [value for value in entry.values() if isinstance(value, int)]
    return entry if _fits(entry, kinds) and all(map(_whole, [numbers, *lists])) else None


def _fits(entry: Entry, kinds: dict[Any, Any]) -> bool:
    return all(name in entry and isinstance(entry[name], kind) for name, kind in kinds.items())


def _whole(values: list[Any]) -> bool:
    """Whether all are whole numbers of 64 bits."""
    return all(type(value) is int and abs(value) < 2**63 for value in values)
