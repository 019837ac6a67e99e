"""quarantine.jsonl: a line for each row that could not be read, which a later run can be given to pass over."""

from __future__ import annotations

import itertools
import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.urls import shown_path
from vjepa_pipe.datasets import BadSample, Source
from vjepa_pipe.datasets.bad import BAD_IN_INDEX
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.files.regular_file import open_regular
from vjepa_pipe.files.whole_file import append_whole

FILES = "quarantine*.jsonl"
MAX_LINE_BYTES = 2**20

logger = logging.getLogger(__name__)


def quarantine_name(rank: int, world_size: int) -> str:
    """The file of a rank; ranks share a folder, not a file."""
    return "quarantine.jsonl" if world_size == 1 else f"quarantine_rank{rank}.jsonl"


class QuarantineWriter:
    """Appends a JSON line for each row that is bad: source, row, path, error class, reason, decoder, step of the run.

    A row is written once, however often it comes up; one that an index names is not, as the index is that list.
    Nothing is written, and no file made, until the first.

    Args:
        file: Where; rows that stand in it already are not written again. No other process writes it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._written: set[tuple[str, int]] | None = None
        self._warned = self._damaged = False

    def add(self, bad: BadSample, step: int | None = None) -> None:
        """Write a row, unless it has been or an index names it.

        Args:
            bad: The row.
            step: The step of the run whose batch it was found bad in, from 1; None: of no run.
        """
        if bad.error == BAD_IN_INDEX or self._damaged:
            return
        try:
            if self._written is None:
                self._written = self._begin()
            if (bad.source, bad.row) not in self._written:
                found = bad._asdict() | ({} if step is None else {"step": step})
                append_whole(self._file, f"{json.dumps(found)}\n".encode())
                self._written.add((bad.source, bad.row))
        except UserError as error:  # the run is worth more than the list
            self._damaged = True
            logger.warning("bad rows are not written down: %s", error)
        except OSError as error:  # a full disk may have room again
            if not self._warned:
                logger.warning("%s: bad rows are not written down: %s", self._file, error.strerror)
            self._warned = True

    def _begin(self) -> set[tuple[str, int]]:
        """The rows that stand there; the file then ends with a whole line, on which others can follow."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if not self._file.exists():
            return set()
        rows, end, ended = set(), 0, True
        for line in _lines(self._file):
            rows.add((line.bad.source, line.bad.row))
            end, ended = line.end, line.ended
        os.truncate(self._file, end)  # without a line that a full disk or a kill has cut off
        if not ended:
            append_whole(self._file, b"\n")
        return rows


def read_quarantine(path: str | Path, sources: Sequence[Source]) -> set[tuple[int, int]]:
    """The rows that quarantine files name, as numbers of source and row.

    Lines of other sources than the experiment's are left out: a file may serve several experiments.

    Args:
        path: A file, or a run's folder with one for each rank.
        sources: The experiment's.

    Raises:
        UserError: If there is no file, a line is damaged, or it names a row that holds another file now.
    """
    path = Path(path)
    files = sorted(path.glob(FILES)) if path.is_dir() else [path]
    if not files:
        raise UserError(f"loader.quarantine: {path} holds no {FILES}")
    numbers = {rows.name: number for number, rows in enumerate(sources)}
    found = set()
    for file in files:
        for line in _lines(file):
            bad = line.bad
            if bad.source not in numbers:
                continue
            rows = sources[numbers[bad.source]]
            now = shown_path(rows.path(bad.row)) if 0 <= bad.row < len(rows) else "not there"
            if now != bad.path:
                raise UserError(
                    f"{file}:{line.number}: row {bad.row} of source {bad.source} is {now}, not {bad.path}; "
                    "the annotation file has changed since"
                )
            found.add((numbers[bad.source], bad.row))
    return found


def found_bad(file: Path, sources: Sequence[Source], step: int) -> Iterator[tuple[BadSample, int, int]]:
    """The rows that a run had found bad by a step, on the rank whose file this is.

    Args:
        file: The rank's; it may be missing, where nothing was bad.
        sources: The experiment's.
        step: From 1; what was found at later ones is left out.

    Yields:
        What is said of a row, the number of its source, and the step.

    Raises:
        UserError: If the file cannot be read, or a line is damaged.
    """
    numbers = {rows.name: number for number, rows in enumerate(sources)}
    for line in _lines(file) if file.exists() else ():
        if line.bad.source in numbers and line.step <= step:
            yield line.bad, numbers[line.bad.source], line.step


class _Line(NamedTuple):
    bad: BadSample
    step: int
    """0 where none is named."""
    number: int
    end: int
    """Bytes of the file up to its end."""
    ended: bool
    """Whether it has a line end: the last one need not, where somebody has written it by hand."""


def _lines(file: Path) -> Iterator[_Line]:
    """The lines of a quarantine file, without a last one that was cut off.

    Raises:
        UserError: If it cannot be read, or another line is damaged.
    """
    try:
        with open_regular(file) as stream:
            end = 0
            for number in itertools.count(1):
                text = stream.readline(MAX_LINE_BYTES)
                if not text:
                    return
                end += len(text)
                ended = text.endswith(b"\n")
                if not text.strip():
                    continue
                try:
                    content = parse_json(text)
                except ValueError as error:
                    if not ended and not stream.read(1):
                        return
                    raise UserError(f"{file}:{number}: not a line of a quarantine file ({error})") from error
                yield _Line(*_bad_sample(content, f"{file}:{number}"), number, end, ended)
    except OSError as error:
        raise UserError(f"{file}: cannot be read as a quarantine file ({error.strerror})") from error


def _bad_sample(content: Any, where: str) -> tuple[BadSample, int]:
    try:
        step = content.pop("step", 0) if isinstance(content, dict) else 0
        bad = BadSample(**content)
    except TypeError as error:
        raise UserError(f"{where}: not a line of a quarantine file ({error})") from error
    if [type(value) for value in (*bad, step)] != [str, int, str, str, str, str, int]:
        raise UserError(f"{where}: not a line of a quarantine file (wrong types)")
    return bad, step
