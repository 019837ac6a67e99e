"""quarantine.jsonl: a line for each row that could not be read, which a later run can be given to pass over."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.regular_file import read_regular
from vjepa_pipe.datasets import BadSample, Source
from vjepa_pipe.datasets.bad import BAD_IN_INDEX

FILES = "quarantine*.jsonl"

logger = logging.getLogger(__name__)


def quarantine_name(rank: int, world_size: int) -> str:
    """The file of a rank; ranks share a folder, not a file."""
    return "quarantine.jsonl" if world_size == 1 else f"quarantine_rank{rank}.jsonl"


class QuarantineWriter:
    """Appends a JSON line for each row that is bad: source, row, path, error class, reason, decoder.

    A row is written once, however often it comes up; one that an index names is not, as the index is that list.
    Nothing is written, and no file made, until the first.

    Args:
        file: Where; rows that stand in it already are not written again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._written: set[tuple[str, int]] | None = None
        self._failed = False

    def add(self, bad: BadSample) -> None:
        """Write a row, unless it has been or an index names it."""
        if bad.error == BAD_IN_INDEX:
            return
        if self._written is None:
            self._written = {(old.source, old.row) for old in _lines(self._file)} if self._file.exists() else set()
        if (bad.source, bad.row) in self._written:
            return
        self._written.add((bad.source, bad.row))
        try:
            self._append(json.dumps(bad._asdict()) + "\n")
        except OSError as error:  # the run is worth more than the list
            if not self._failed:
                logger.warning("%s: bad rows are no longer written down: %s", self._file, error.strerror)
            self._failed = True

    def _append(self, line: str) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        text = self._file.read_bytes() if self._file.exists() else b""
        with self._file.open("ab") as file:
            file.truncate(text.rfind(b"\n") + 1)  # without a line that a full disk or a kill has cut off
            file.write(line.encode())


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
        for line, bad in enumerate(_lines(file), 1):
            if bad.source not in numbers:
                continue
            rows = sources[numbers[bad.source]]
            if not 0 <= bad.row < len(rows) or rows.path(bad.row) != bad.path:
                now = rows.path(bad.row) if 0 <= bad.row < len(rows) else "not there"
                raise UserError(
                    f"{file}:{line}: row {bad.row} of source {bad.source} is {now}, not {bad.path}; "
                    "the annotation file has changed since"
                )
            found.add((numbers[bad.source], bad.row))
    return found


def _lines(file: Path) -> list[BadSample]:
    try:
        text = read_regular(file)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as a quarantine file ({error})") from error
    *lines, cut_off = text.split("\n")  # the last line is whole only with its end
    del cut_off
    return [_parsed(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _parsed(file: Path, number: int, line: str) -> BadSample:
    try:
        bad = BadSample(**json.loads(line))
        kinds = [type(value) for value in bad]
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{file}:{number}: not a line of a quarantine file ({error})") from None
    if kinds != [str, int, str, str, str, str]:
        raise UserError(f"{file}:{number}: not a line of a quarantine file (wrong types)")
    return bad
