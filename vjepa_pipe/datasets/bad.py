"""Rows that cannot be read: what is said about them, and which rows are read in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from vjepa_pipe.config.errors import SampleError, UserError, counted
from vjepa_pipe.sampling import KeyedPermutation, SampleKey, keyed_hash


class Quarantined(SampleError):
    """A row that is passed over without being opened, since the quarantine names it."""


class BadInIndex(SampleError):
    """A row that is passed over without being opened, since its index says that it cannot be read."""


QUARANTINED, BAD_IN_INDEX = Quarantined.__name__, BadInIndex.__name__
KNOWN_BAD = frozenset({QUARANTINED, BAD_IN_INDEX})
"""`BadSample.error` of rows that were passed over without being opened."""


class BadSample(NamedTuple):
    """A row that could not be read, and why.

    Attributes:
        source: Name of the source.
        row: Row in it, from 0.
        path: The file.
        error: Class of the error; one of `KNOWN_BAD` for a row that was not opened.
        reason: What is wrong, on one line.
        decoder: The library that found it.
    """

    source: str
    row: int
    path: str
    error: str
    reason: str
    decoder: str


class TooManyBadSamples(UserError):
    """No readable sample was found in a source within the tries allowed."""


class SampleSkipped(UserError):
    """A sample is left out of its batch, as `on_bad_sample=skip` asks.

    Attributes:
        bad: The row that could not be read.
    """

    def __init__(self, bad: BadSample) -> None:
        super().__init__(bad)
        self.bad = bad

    def __str__(self) -> str:
        return self.bad.reason


def replacements(key: SampleKey, rows: int, tries: int) -> Iterator[SampleKey]:
    """Keys to read in place of a bad one: other rows of its source, each once, in an order made from the key.

    Args:
        key: The sample that cannot be read; its place in the run stays.
        rows: Rows of its source.
        tries: How many to give at most.
    """
    order = KeyedPermutation(rows, keyed_hash("replacement", *key))
    others = (row for row in map(order, range(rows)) if row != key.row)
    return (key._replace(row=row) for row in islice(others, tries))


def none_readable(source: str, bad: Sequence[BadSample]) -> TooManyBadSamples:
    """The error for a sample whose replacements are bad too."""
    reasons = "; ".join(dict.fromkeys(sample.reason for sample in bad[:3]))
    return TooManyBadSamples(
        f"source {source}: {counted(len(bad), 'sample')} in a row could not be read, the first: {reasons}"
    )
