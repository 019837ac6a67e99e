"""The cache of big tables: parsed once, renewed when the file changes, safe to race for."""

from __future__ import annotations

import logging
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.sources import SourceError, cache_dir, read_rows
from vjepa_pipe.sources.folders import new_folder

ROWS = 40_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "big.csv"
    write(path, 3)
    return path


def write(path: Path, label: int) -> None:
    path.write_text("".join(f"/videos/{i:012d}.mp4 {label}\n" for i in range(ROWS)))


def entries(cache: Path) -> list[Path]:
    return sorted((cache / "rows").iterdir())


def test_a_list_is_parsed_once(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_rows(file, cache_folder=tmp_path / "cache")

    def refuse(_: Path) -> Any:
        raise AssertionError("parsed again")

    monkeypatch.setattr("vjepa_pipe.sources.lists.annotations._read_text", refuse)
    second = read_rows(file, "other name", tmp_path / "cache")
    assert (second.name, len(second), second.path(ROWS - 1)) == ("other name", ROWS, first.path(ROWS - 1))
    assert len(entries(tmp_path / "cache")) == 1


def test_a_changed_list_is_parsed_again(file: Path, tmp_path: Path) -> None:
    before = read_rows(file, cache_folder=tmp_path / "cache")
    facts = file.stat()
    write(file, 4)
    assert file.stat().st_size == facts.st_size
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    after = read_rows(file, cache_folder=tmp_path / "cache")
    assert (before.label(0), after.label(0)) == (3, 4)


def test_processes_may_race(file: Path, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        rows = pool.starmap(read_rows, [(file, None, tmp_path / "cache")] * 4, chunksize=1)
    assert [(len(one), one.path(9), one.label(9)) for one in rows] == [(ROWS, "/videos/000000000009.mp4", 3)] * 4
    assert len(entries(tmp_path / "cache")) == 1


def test_the_first_of_a_race_wins(tmp_path: Path) -> None:
    with new_folder(tmp_path / "made") as late:
        (late / "who").write_text("late")
        with new_folder(tmp_path / "made") as early:
            (early / "who").write_text("early")
    assert (tmp_path / "made" / "who").read_text() == "early"
    assert list(tmp_path.iterdir()) == [tmp_path / "made"]


def test_a_folder_that_failed_does_not_appear(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_folder(tmp_path / "made"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_unwritable_cache_is_reported(file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        rows = read_rows(file, cache_folder=tmp_path / "cache")
    assert (len(rows), rows.label(0)) == (ROWS, 3)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{file}: its table of 2 MiB is kept in memory, in every worker, as the cache" in caplog.text


def test_no_home_folder_is_reported(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("vjepa_pipe.sources.tables.cache.cache_dir", refuse)
    assert len(read_rows(file)) == ROWS
    assert "no home folder: set VJEPA_PIPE_CACHE" in caplog.text


def test_damaged_entry_is_refused(file: Path, tmp_path: Path) -> None:
    read_rows(file, cache_folder=tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    (entry / "labels.npy").write_bytes(b"")
    with pytest.raises(SourceError) as caught:
        read_rows(file, cache_folder=tmp_path / "cache")
    assert str(caught.value).startswith(f"{entry}: this cache entry cannot be read; delete it and start again (")


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VJEPA_PIPE_CACHE", raising=False)
    assert cache_dir() == tmp_path / "home/.cache/vjepa_pipe"
    monkeypatch.setenv("VJEPA_PIPE_CACHE", "~/mine")
    assert cache_dir() == tmp_path / "home/mine"
    read_rows(file)
    assert len(entries(tmp_path / "home/mine")) == 1


def test_every_damaged_byte_is_found(file: Path, tmp_path: Path) -> None:
    read_rows(file, cache_folder=tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    for part in entry.iterdir():
        whole = part.read_bytes()
        for at in {*range(0, len(whole), max(1, len(whole) // 20)), len(whole) - 1}:
            part.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
            with pytest.raises(SourceError, match="this cache entry cannot be read; delete it and start again"):
                read_rows(file, cache_folder=tmp_path / "cache")
        part.write_bytes(whole)
    assert len(read_rows(file, cache_folder=tmp_path / "cache")) == ROWS


def test_tables_that_nobody_opens_are_removed(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VJEPA_PIPE_CACHE_DAYS", "3")
    folder = tmp_path / "cache"
    read_rows(file, cache_folder=folder)
    (used,) = entries(folder)
    for name in ("old", ".draft.of.one.killed", "new"):
        (folder / "rows" / name).mkdir()
    for name in (used.name, "old", ".draft.of.one.killed"):
        os.utime(folder / "rows" / name, (0, 0))
    read_rows(file, cache_folder=folder)  # used again
    write(file, 12)
    read_rows(file, cache_folder=folder)
    assert {used.name, "new"} < {entry.name for entry in entries(folder)} and len(entries(folder)) == 3
    monkeypatch.setenv("VJEPA_PIPE_CACHE_DAYS", "soon")
    write(file, 123)
    with pytest.raises(UserError, match=r"VJEPA_PIPE_CACHE_DAYS must be a number of days > 0 \(got 'soon'\)"):
        read_rows(file, cache_folder=folder)


def test_a_cache_without_permission_is_one_clear_error(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", lambda path: "rows" in path.parts and refuse(path))
    with pytest.raises(SourceError, match="the cache cannot be read: Permission denied; set VJEPA_PIPE_CACHE"):
        read_rows(file, cache_folder=tmp_path / "cache")
