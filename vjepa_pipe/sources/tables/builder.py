"""A table that grows by spans of text, with one rule for what its labels are."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.lists.layouts import INTEGER
from vjepa_pipe.sources.tables.columns import Bytes, Integers, Table, TextBuilder, TextColumn, encode
from vjepa_pipe.sources.tables.text import ListFile

_DECIMAL = re.compile(r"[+-]?[0-9]*\.[0-9]*")
_SAFE_DIGITS = 18  # 10**18 - 1 fits 64 bits, so no sum of digits can overflow


class Row(NamedTuple):
    """A row as it was read: line number from 1, path, label."""

    line: int
    path: str
    label: str


@dataclass(frozen=True, eq=False)
class Spans:
    """Where paths and labels stand in a buffer; row `i` has `buffer[starts[i]:ends[i]]`.

    Attributes:
        buffer: UTF-8 bytes.
        path_starts: int64 `[rows]`, as are the four that follow.
        path_ends: Exclusive.
        label_starts: As for paths.
        label_ends: Exclusive.
        lines: Line number of each row, from 1.
    """

    buffer: Bytes
    path_starts: Integers
    path_ends: Integers
    label_starts: Integers
    label_ends: Integers
    lines: Integers

    def label(self, index: int) -> str:
        """The label of one row as text."""
        return self.buffer[self.label_starts[index] : self.label_ends[index]].tobytes().decode("utf-8")


def spans_of(rows: Sequence[Row]) -> Spans:
    """Rows that were split one by one, as spans."""
    pieces = [encode(text) for row in rows for text in (row.path, row.label)]
    bounds = np.fromiter(chain([0], accumulate(map(len, pieces))), np.int64, len(pieces) + 1)
    lines = np.fromiter((row.line for row in rows), np.int64, len(rows))
    buffer = np.frombuffer(b"".join(pieces), np.uint8)
    return Spans(buffer, bounds[:-1:2], bounds[1::2], bounds[1:-1:2], bounds[2::2], lines)


def parse_integers(buffer: Bytes, starts: Integers, ends: Integers) -> tuple[Integers, NDArray[np.bool_]]:
    """Read decimal integers out of a buffer, all at once.

    Returns:
        The values, and which spans hold an integer of 64 bits; the value of the others is undefined.
    """
    lead = buffer[np.minimum(starts, len(buffer) - 1)]
    signed = (ends > starts) & ((lead == ord("+")) | (lead == ord("-")))
    digits = starts + signed
    values = np.zeros(len(starts), np.int64)
    valid = ends > digits
    for place in range(min(int((ends - digits).max(initial=0)), _SAFE_DIGITS)):
        # The digit with weight 10**place of every number that is long enough: the units digit first.
        at = ends - 1 - place
        here = np.flatnonzero(at >= digits)
        digit = buffer[at[here]] - np.uint8(ord("0"))  # other characters wrap round to 10 and above
        valid[here] &= digit <= 9
        values[here] += digit * np.int64(10**place)
    for index in np.flatnonzero(ends - digits > _SAFE_DIGITS):
        text = buffer[starts[index] : ends[index]].tobytes().decode("utf-8")
        valid[index] = INTEGER.fullmatch(text) is not None and -(2**63) <= int(text) < 2**63
        values[index] = int(text) if valid[index] else 0
    negative = (lead == ord("-")) & (ends - digits <= _SAFE_DIGITS)
    return np.where(negative, -values, values), valid


def cut_out(buffer: Bytes, starts: Integers, ends: Integers) -> Bytes:
    """The bytes of all spans, one after the other; spans are sorted, apart and not empty."""
    steps = np.zeros(len(buffer) + 1, np.int8)
    steps[starts] += 1
    steps[ends] -= 1
    return buffer[np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_)]


def _extend(column: TextBuilder, buffer: Bytes, starts: Integers, ends: Integers) -> None:
    column.extend(cut_out(buffer, starts, ends), ends - starts)


class TableBuilder:
    """A growing table that decides from its first rows whether labels are integers or text.

    Class labels are all integers or all text: one word among numbers is a mistake in the list. Captions
    are text as soon as one of the first is, and may then hold a number.

    Args:
        path: The annotation file, for errors.
        captions: Labels are captions.
    """

    def __init__(self, path: ListFile, captions: bool) -> None:
        self._path = path
        self._captions = captions
        self._paths = TextBuilder()
        self._numbers: array[int] | None = None
        self._texts: TextBuilder | None = None
        self._first = (0, "")

    def add(self, spans: Spans) -> None:
        """Add rows.

        Raises:
            SourceError: A label is not of the kind of the labels before it.
        """
        if not len(spans.lines):
            return
        values, valid = parse_integers(spans.buffer, spans.label_starts, spans.label_ends)
        if self._numbers is None and self._texts is None:
            self._decide(spans, valid)
        if self._numbers is not None:
            if not valid.all():
                raise self._mixed(spans, int(np.argmin(valid)))
            self._numbers.frombytes(values.tobytes())
        elif self._texts is not None:
            if valid.any() and not self._captions:
                raise self._mixed(spans, int(np.argmax(valid)))
            _extend(self._texts, spans.buffer, spans.label_starts, spans.label_ends)
        _extend(self._paths, spans.buffer, spans.path_starts, spans.path_ends)

    def _decide(self, spans: Spans, valid: NDArray[np.bool_]) -> None:
        self._first = (int(spans.lines[0]), spans.label(0))
        if valid.all() or (valid[0] and not self._captions):
            self._numbers = array("q")
        elif not self._captions and _DECIMAL.fullmatch(self._first[1]):
            raise SourceError(self._path, f"line {self._first[0]}: label {self._first[1]!r} is not an integer")
        else:
            self._texts = TextBuilder()

    def _mixed(self, spans: Spans, index: int) -> SourceError:
        """The error for the row at `index`, whose label is of another kind than the first row's."""
        pair = (self._first, (int(spans.lines[index]), spans.label(index)))
        (line, text), (other, number) = pair if self._numbers is None else pair[::-1]
        return SourceError(
            self._path, f"line {line}: label {text!r} is not a 64-bit integer, while line {other} has {number}"
        )

    def build(self) -> Table:
        """The finished table; the builder must not be used again."""
        labels: Integers | TextColumn = np.zeros(0, np.int64)
        if self._numbers is not None:
            labels = np.frombuffer(self._numbers, np.int64)
        elif self._texts is not None:
            labels = self._texts.build()
        return Table(self._paths.build(), labels)
