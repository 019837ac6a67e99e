"""The array way of splitting lines gives what the line-by-line way gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from vjepa_pipe.sources import SourceError
from vjepa_pipe.sources.lists.delimited import split_lines
from vjepa_pipe.sources.lists.layouts import INTEGER, SPACES
from vjepa_pipe.sources.lists.space_separated import plain_spans
from vjepa_pipe.sources.tables.builder import Row, Spans, cut_out, parse_integers
from vjepa_pipe.sources.tables.text import Chunk

_LINE = st.one_of(st.text('a1é"-+. \t\r', max_size=8), st.from_regex(r"[a/é ]{1,5} [0-9]{1,3}", fullmatch=True))


def _rows(spans: Spans) -> list[Row]:
    def text(start: int, end: int) -> str:
        return spans.buffer[start:end].tobytes().decode()

    paths = map(text, spans.path_starts, spans.path_ends)
    labels = map(text, spans.label_starts, spans.label_ends)
    return [Row(int(line), path, label) for line, path, label in zip(spans.lines, paths, labels, strict=True)]


@given(st.lists(_LINE, min_size=1, max_size=6), st.integers(1, 5))
@example(["a 1 2"], 1)
@example(['"a" 1'], 1)
@example(["a 1", "", "  b c\t  -2 \r"], 7)
def test_both_ways_agree(lines: list[str], first: int) -> None:
    chunk = Chunk("".join(line + "\n" for line in lines).encode(), first)
    spans = plain_spans(chunk)
    try:
        expected = list(split_lines(Path("x.csv"), [chunk], SPACES))
    except SourceError:
        assert spans is None
        return
    if spans is not None:
        assert _rows(spans) == expected
    elif expected and '"' not in "".join(lines):
        assert not all(INTEGER.fullmatch(row.label) for row in expected)


def test_plain_lines_take_the_array_way() -> None:
    spans = plain_spans(Chunk(b"\n/a b.mp4 3\r\n  /c.mp4   -14 \n", 5))
    assert spans is not None
    assert _rows(spans) == [Row(6, "/a b.mp4", "3"), Row(7, "/c.mp4", "-14")]


_TOKENS = st.one_of(
    st.integers(-(2**64), 2**64).map(str),
    st.integers(-(10**18) - 2, 10**18 + 2).map(str),
    st.text("019+- x/:é", max_size=21),
)


@given(st.lists(_TOKENS, min_size=1, max_size=8))
@example([str(2**63), str(-(2**63)), str(2**63 - 1), "+", "-", "", "+0", "-00000000000000000000007"])
def test_integers(tokens: list[str]) -> None:
    pieces = [token.encode() for token in tokens]
    ends = np.cumsum([len(piece) + 1 for piece in pieces]) - 1
    starts = ends - [len(piece) for piece in pieces]
    values, valid = parse_integers(np.frombuffer(b"|".join(pieces) + b"|", np.uint8), starts, ends)
    for token, value, known in zip(tokens, values.tolist(), valid.tolist(), strict=True):
        assert known == (INTEGER.fullmatch(token) is not None and -(2**63) <= int(token) < 2**63)
        assert not known or value == int(token)


@given(st.lists(st.tuples(st.binary(max_size=5), st.binary(min_size=1, max_size=5)), max_size=8))
def test_cut_out(pieces: list[tuple[bytes, bytes]]) -> None:
    buffer = b"".join(gap + kept for gap, kept in pieces) + b"end"
    ends = np.cumsum([len(gap) + len(kept) for gap, kept in pieces]).astype(np.int64)
    starts = ends - np.array([len(kept) for _, kept in pieces], np.int64)
    assert cut_out(np.frombuffer(buffer, np.uint8), starts, ends).tobytes() == b"".join(kept for _, kept in pieces)
