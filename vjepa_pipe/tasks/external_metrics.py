"""What a trainer of the user's measured: numbers that it returns, or leaves in files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.files.regular_file import regular_file
from vjepa_pipe.records.curves import CURVES, last_values, read_curves
from vjepa_pipe.records.files import read_mapping
from vjepa_pipe.records.record import METRICS

LOGS = tuple(f"{below}{name}.csv" for name in ("log*", "*_r0") for below in ("", "*/", "*/*/"))
"""Published pretraining writes `log_r0.csv` (V-JEPA 1: `TAG_r0.csv`) into its folder, evaluation two folders below."""

LARGEST = 2**63
"""Whole numbers above are no measurement, and no reader of records takes them."""

Number = bool | int | float


def numbers(returned: Any) -> dict[str, Number]:
    """The numbers in a mapping, by dotted names, those without a dimension in arrays and tensors too; else none."""
    if not isinstance(returned, Mapping):
        return {}
    found = ((name, _number(value)) for name, value in leaves(dict(returned)))
    return {name: value for name, value in found if value is not None}


def _number(value: Any) -> Number | None:
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, int) and abs(value) >= LARGEST:
        return None
    return value if isinstance(value, (bool, int, float)) else None


class LeftFiles:
    """Files that were written after this was made: what was there before is of other runs.

    Args:
        folders: Where a trainer leaves its files; the first that holds any counts.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = list(dict.fromkeys(folder.resolve() for folder in folders))
        self._before = {file: _state(file) for folder in self._folders for file in _candidates(folder)}

    def metrics(self) -> dict[str, Number]:
        """The numbers of `metrics.json`, else the last of `metrics.jsonl`, else the last whole row of the first log.

        A damaged file is passed over.
        """
        for folder in self._folders:
            for file in _candidates(folder):
                if _state(file) is None or _state(file) == self._before.get(file):
                    continue
                try:
                    found = _numbers_of(file)
                except (UserError, OSError, ValueError, csv.Error) as error:
                    Console(stderr=True, soft_wrap=True).print(
                        f"no metrics are taken from {file}: {error}", markup=False, highlight=False
                    )
                    continue
                if found:
                    return found
        return {}


def _candidates(folder: Path) -> Iterator[Path]:
    yield folder / METRICS
    yield folder / CURVES
    for pattern in LOGS:
        yield from sorted(folder.glob(pattern))


def _numbers_of(file: Path) -> dict[str, Number]:
    if file.name == METRICS:
        return numbers(read_mapping(file))
    return dict(last_values(read_curves(file.parent))) if file.name == CURVES else _last_row(file)


def _state(file: Path) -> tuple[int, int] | None:
    try:
        found = regular_file(file)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _last_row(file: Path) -> dict[str, Number]:
    """The numeric columns of a log's last whole row. A run that goes on writes its titles once more."""
    titles: list[str] = []
    last: dict[str, Number] = {}
    with file.open(newline="", encoding="utf-8", errors="replace") as stream:
        for row in csv.reader(stream):
            values = [_parsed(cell) for cell in row]
            if row and all(value is None for value in values):
                titles = [cell.strip() for cell in row]
            elif row and len(row) == len(titles):
                last = {name: value for name, value in zip(titles, values, strict=True) if value is not None}
    return last


def _parsed(cell: str) -> int | float | None:
    if re.fullmatch(r"\s*[+-]?\d{1,18}\s*", cell):
        return int(cell)
    try:
        return float(cell)
    except ValueError:
        return None
