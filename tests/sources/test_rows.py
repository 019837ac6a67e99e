"""Rows: compact, immutable, and cheap to send to another process."""

from __future__ import annotations

import gc
import multiprocessing
import operator
import pickle
from pathlib import Path

import pytest

from vjepa_pipe.sources import Rows, SourceError, read_rows

BIG = 30_000
"""Rows that make a table of more than 1 MiB."""


@pytest.fixture
def big(tmp_path: Path) -> Rows:
    file = tmp_path / "big.csv"
    file.write_text("".join(f"/videos/of/class_{i % 7}/number {i:08d}.mp4 {i % 7}\n" for i in range(BIG)))
    return read_rows(file, cache_folder=tmp_path / "cache")


@pytest.fixture
def big_text(tmp_path: Path) -> Rows:
    file = tmp_path / "big.txt"
    file.write_text("".join(f"/videos/{i:08d}.mp4::someone does thing number {i}\n" for i in range(BIG)))
    return read_rows(file, cache_folder=tmp_path / "cache")


def test_from_lists() -> None:
    rows = Rows.from_lists("some", iter(["a", "é b"]), [4, -5])
    assert (len(rows), rows.name, repr(rows)) == (2, "some", "Rows('some', 2 rows)")
    assert [rows.path(0), rows.path(1), rows.label(1)] == ["a", "é b", -5]
    assert type(rows.label(0)) is int
    captions = Rows.from_lists("some", ["a", "b"], ["x", "日"])
    assert [captions.label(0), captions.label(1)] == ["x", "日"]


def test_from_lists_of_different_length() -> None:
    with pytest.raises(ValueError, match=r"paths and labels must be equally many \(got 2 and 1\)"):
        Rows.from_lists("some", ["a", "b"], [1])


@pytest.mark.parametrize("index", [-1, 2])
def test_no_such_row(index: int) -> None:
    rows = Rows.from_lists("some", ["a", "b"], [1, 2])
    for ask in (rows.path, rows.label):
        with pytest.raises(IndexError, match=rf"some: row must be from 0 to 1 \(got {index}\)"):
            ask(index)


def test_tables_are_read_only(big: Rows) -> None:
    for rows in (big, Rows.from_lists("some", ["a"], [1])):
        for part in rows._table.arrays().values():
            with pytest.raises(ValueError, match="read-only"):
                part[0] = 0


def test_a_table_is_a_few_objects(big: Rows) -> None:
    before = len(gc.get_objects())
    again = pickle.loads(pickle.dumps(big))
    assert len(gc.get_objects()) - before < 100
    assert len(again) == BIG


def test_small_rows_are_pickled_whole(tmp_path: Path) -> None:
    file = tmp_path / "small.csv"
    file.write_text("a.mp4 3\n")
    rows = read_rows(file, cache_folder=tmp_path / "cache")
    again = pickle.loads(pickle.dumps(rows))
    assert (again.name, again.path(0), again.label(0)) == (rows.name, rows.path(0), 3)
    assert not (tmp_path / "cache").exists()


def test_big_rows_are_pickled_as_file_names(big: Rows, big_text: Rows) -> None:
    for rows in (big, big_text):
        assert len(pickle.dumps(rows)) < 1000
        again = pickle.loads(pickle.dumps(rows))
        for i in (0, 1, BIG // 2, BIG - 1):
            assert (again.path(i), again.label(i)) == (rows.path(i), rows.label(i))
    assert (big.path(BIG - 1), big.label(BIG - 1)) == (f"/videos/of/class_4/number {BIG - 1:08d}.mp4", 4)
    assert big_text.label(7) == "someone does thing number 7"


def test_spawned_process_reads_the_same_rows(big: Rows) -> None:
    small = Rows.from_lists("small", ["a b.mp4"], ["jump"])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for rows, i in ((big, 12_345), (small, 0)):
            assert pool.apply(operator.methodcaller("path", i), (rows,)) == rows.path(i)
            assert pool.apply(operator.methodcaller("label", i), (rows,)) == rows.label(i)


def test_rows_whose_cache_was_deleted_are_refused(big: Rows) -> None:
    pickled = pickle.dumps(big)
    for file in big._entry.iterdir() if big._entry else ():
        file.unlink()
    with pytest.raises(SourceError, match="this cache entry cannot be read; delete it and start again"):
        pickle.loads(pickled)
