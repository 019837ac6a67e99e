"""Layouts that are read line by line: `path::label`, and CSV with or without a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from vjepa_pipe.config.errors import counted
from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.lists.layouts import LABEL_COLUMNS, PATH_COLUMNS, TEXT_COLUMNS, Layout
from vjepa_pipe.sources.tables.builder import Row, TableBuilder, spans_of
from vjepa_pipe.sources.tables.columns import Table
from vjepa_pipe.sources.tables.text import Chunk, ListFile, read_chunks

_BATCH = 4096
_BLANKS = " \t\r\n"


def split_lines(path: ListFile, chunks: Iterable[Chunk], layout: Layout) -> Iterator[Row]:
    """Split each line by a layout.

    Raises:
        SourceError: A line is written otherwise.
    """
    for chunk in chunks:
        for number, line in chunk.lines():
            try:
                video, label = layout.split(line)
            except ValueError as error:
                raise SourceError(path, f"line {number} {error}: {_shorten(line)}") from error
            yield Row(number, video, label)


def split_csv(path: ListFile, chunks: Iterable[Chunk], columns: Sequence[str]) -> Iterator[Row]:
    """Split a CSV file with a header; quoted cells may span lines.

    Args:
        path: The file, for errors.
        chunks: Its lines, the header first.
        columns: The names in the header, in lower case.

    Raises:
        SourceError: A column is missing, or a line has other columns than the header.
    """
    at_path = _column(path, columns, PATH_COLUMNS, "path")
    at_label = _column(path, columns, LABEL_COLUMNS + TEXT_COLUMNS, "label")
    for line, cells in islice(csv_lines(path, chunks), 1, None):
        if len(cells) != len(columns):
            wanted = f"{counted(len(columns), 'column')}, as the header"
            raise SourceError(path, f"line {line} must have {wanted} (got {len(cells)})")
        row = Row(line, cells[at_path].strip(_BLANKS), cells[at_label].strip(_BLANKS))
        if not row.path or not row.label:
            empty = columns[at_label if row.path else at_path]
            raise SourceError(path, f"line {line}: column {empty!r} is empty")
        yield row


def csv_lines(path: ListFile, chunks: Iterable[Chunk]) -> Iterator[tuple[int, list[str]]]:
    """Number, from 1, and cells of each CSV line that is not blank, the header first; quoted cells may span lines.

    Raises:
        SourceError: A line is not CSV.
    """
    reader = csv.reader((line for chunk in chunks for line in _with_feeds(chunk)), strict=True)
    try:
        end = 0
        for cells in reader:
            line, end = end + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                yield line, cells
    except csv.Error as error:
        raise SourceError(path, f"line {reader.line_num} is not CSV: {error}") from error


def csv_rows(path: ListFile, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number, from 1, and cells by column of each row of a CSV file with a header.

    Args:
        path: The file.
        columns: Those that it must have, spelt so; others may stand beside them.

    Raises:
        SourceError: The file is empty or no CSV, lacks a column, or has a row with other columns than the header.
    """
    lines = csv_lines(path, read_chunks(path))
    header = next(lines, (0, []))[1]
    if not header:
        raise SourceError(path, f"is empty: it must start with a header that names {', '.join(columns)}")
    missing = [column for column in columns if column not in header]
    if missing:
        raise SourceError(path, f"has no column {', '.join(missing)}: its columns are {', '.join(header)}")
    for line, cells in lines:
        if len(cells) != len(header):
            wanted = f"{counted(len(header), 'column')}, as the header"
            raise SourceError(path, f"line {line} must have {wanted} (got {len(cells)})")
        yield line, dict(zip(header, cells, strict=True))


def collect(path: ListFile, rows: Iterator[Row], captions: bool) -> Table:
    """Gather rows into a table.

    Args:
        path: The file, for errors.
        rows: The rows, in order.
        captions: Labels are captions, see `TableBuilder`.
    """
    builder = TableBuilder(path, captions)
    while batch := list(islice(rows, _BATCH)):
        builder.add(spans_of(batch))
    return builder.build()


def _column(path: ListFile, columns: Sequence[str], names: Sequence[str], kind: str) -> int:
    for name in names:
        if name in columns:
            return columns.index(name)
    raise SourceError(
        path, f"has no {kind} column: its columns are {', '.join(columns)}; one must be named {', '.join(names)}"
    )


def _with_feeds(chunk: Chunk) -> Iterator[str]:
    # Line feeds stay, for quoted cells that hold them. The last piece is what follows the last feed: nothing.
    for line in chunk.data.decode("utf-8").split("\n")[:-1]:
        yield line.removesuffix("\r") + "\n"


def _shorten(line: str, limit: int = 120) -> str:
    return line if len(line) <= limit else line[: limit - 1] + "…"
