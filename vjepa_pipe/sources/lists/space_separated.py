"""`path label` lines, millions at a time.

The published layout is also the one of the largest lists, so its plain lines are split by array
operations on the file's bytes. A piece of the file with anything else in it (quotes, text labels, a
line that is wrong) is split line by line, by the same rule as every other layout; so errors are found
in one place, and both ways give the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vjepa_pipe.sources.lists.delimited import split_lines
from vjepa_pipe.sources.lists.layouts import SPACES
from vjepa_pipe.sources.tables.builder import Spans, TableBuilder, parse_integers, spans_of
from vjepa_pipe.sources.tables.columns import Bytes, Integers, Table
from vjepa_pipe.sources.tables.text import Chunk, ListFile

_IS_BLANK = np.zeros(256, np.bool_)
_IS_BLANK[[ord(" "), ord("\t"), ord("\r"), ord("\n")]] = True


def read_space_separated(path: ListFile, chunks: Iterable[Chunk]) -> Table:
    """Read the rows of a `path label` file.

    Raises:
        SourceError: A line is not of this layout, or its label not of the kind of the others.
    """
    builder = TableBuilder(path, captions=False)
    for chunk in chunks:
        builder.add(plain_spans(chunk) or spans_of(list(split_lines(path, [chunk], SPACES))))
    return builder.build()


def plain_spans(chunk: Chunk) -> Spans | None:
    """The rows of a chunk whose lines are all plain; None when one is not.

    Plain is a path without quotes around it, one space or more, and an integer; the path may hold
    spaces, but its last word must not be an integer too.
    """
    buffer = np.frombuffer(chunk.data, np.uint8)
    feeds = np.flatnonzero(buffer == ord("\n"))
    starts = _skip_blanks(buffer, np.concatenate(([0], feeds[:-1] + 1)), feeds)
    filled = starts < feeds
    lines = chunk.first + np.flatnonzero(filled)
    starts = starts[filled]
    ends = _drop_blanks(buffer, starts, feeds[filled])
    if not len(starts) or (buffer[starts] == ord('"')).any() or (buffer[ends - 1] == ord('"')).any():
        return None

    spaces = np.flatnonzero(buffer == ord(" "))
    last = np.searchsorted(spaces, ends) - 1  # the last space of each line, unless it has none
    if last.min() < 0 or (spaces[last] < starts).any():
        return None
    labels = spaces[last] + 1
    if not parse_integers(buffer, labels, ends)[1].all():
        return None
    path_ends = _drop_blanks(buffer, starts, labels)

    # `/videos/a.mp4 0 -1` is a list of another kind, whose third column must not pass for the label.
    before = spaces[np.maximum(np.searchsorted(spaces, path_ends) - 1, 0)]
    several = np.flatnonzero((before > starts) & (before < path_ends))
    if parse_integers(buffer, before[several] + 1, path_ends[several])[1].any():
        return None
    return Spans(buffer, starts, path_ends, labels, ends, lines)


def _skip_blanks(buffer: Bytes, starts: Integers, stops: Integers) -> Integers:
    """Move each start past blanks, as far as its stop."""
    starts = starts.copy()
    moving = np.flatnonzero((starts < stops) & _IS_BLANK[buffer[starts]])
    while len(moving):
        starts[moving] += 1
        moving = moving[(starts[moving] < stops[moving]) & _IS_BLANK[buffer[starts[moving]]]]
    return starts


def _drop_blanks(buffer: Bytes, starts: Integers, ends: Integers) -> Integers:
    """Move each end back over blanks; every span holds something else."""
    ends = ends.copy()
    moving = np.flatnonzero((ends > starts) & _IS_BLANK[buffer[ends - 1]])
    while len(moving):
        ends[moving] -= 1
        moving = moving[(ends[moving] > starts[moving]) & _IS_BLANK[buffer[ends[moving] - 1]]]
    return ends
