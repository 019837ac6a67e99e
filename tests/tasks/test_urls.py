"""Tasks on files at URLs: task=validate reads every row, task=prepare makes the copies it makes of local files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from footage import write_video
from loading import tiny
from storage.range_server import Faults, RangeServer, serving

from vjepa_pipe.config import UserError
from vjepa_pipe.tasks import run_task
from vjepa_pipe.tasks.validate import validate

QUICK = ("storage.retries=0", "storage.timeout_sec=5", "data.num_workers=1")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    """Three videos, the last of a file that is none, and their list."""
    folder = tmp_path / "served"
    folder.mkdir()
    for number in range(2):
        write_video(folder / f"a {number}.mp4", 20 + number)
    (folder / "2.mp4").write_text("no video")
    (folder / "list.csv").write_text("a 0.mp4 0\na 1.mp4 1\n2.mp4 2\n")
    with serving(folder) as running:
        yield running


def test_validate_reads_every_row(server: RangeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = server.url("list.csv")
    settings = ("task=validate", "task.full=true", "task.samples=1", "loader.max_failure_rate=0.5")
    found = validate(tiny(url, *QUICK, *settings), tmp_path / "out")
    assert found["files"] is True and "pass files: 1 of 3 rows could not be read" in capsys.readouterr().err
    (line,) = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    assert json.loads(line)["path"] == server.url("2.mp4")


def prepared(path: str | Path, target: Path, *more: str) -> dict[str, Any]:
    settings = ("task=prepare", f"task.target_dir={target}", "task.short_side=32", "task.workers=1", *more)
    return run_task(tiny(path, *QUICK, *settings), Path(tempfile.mkdtemp(dir=target.parent)))


def copies(target: Path) -> list[tuple[str, bytes]]:
    """Label and content of each copy, in the order of the list."""
    lines = [line.rsplit(" ", 1) for line in (target / "list.csv").read_text().splitlines()]
    return [(label, (target / path.strip('"')).read_bytes()) for path, label in lines]


def test_prepare_makes_the_copies_of_local_files(server: RangeServer, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    found = prepared(server.url("list.csv"), there)
    expected = prepared(server.folder / "list.csv", here)
    assert (found["files"], found["bad"], found["size_ratio"]) == (2, 1, expected["size_ratio"])
    assert copies(there) == copies(here)
    assert {file.suffix for file in (there / "list").iterdir()} == {".mp4"}  # nothing is left of the originals
    write_video(server.folder / "a 1.mp4", 25)
    before = {file: file.stat().st_mtime_ns for file in (there / "list").iterdir()}
    assert prepared(server.url("list.csv"), there)["files"] == 2
    assert len({file for file, time in before.items() if file.stat().st_mtime_ns != time}) == 1
    (same, other), (_, before_other) = copies(there), copies(here)
    assert same == copies(here)[0] and other != before_other


def test_prepare_stops_with_its_store_and_refuses_signed_rows(server: RangeServer, tmp_path: Path) -> None:
    server.faults = Faults(status=503, only=r"a.*|\..*")
    with pytest.raises(UserError, match=r"cannot be read: it answers 503; 0 of 3 copies of list are done, and"):
        prepared(server.url("list.csv"), tmp_path / "target")
    (tmp_path / "signed.csv").write_text(f"{server.url('a.mp4', 'sig=SECRET')} 0\n")
    with pytest.raises(UserError, match=r"a\.mp4: its URL has a user name or a query") as error:
        prepared(tmp_path / "signed.csv", tmp_path / "target")
    assert "SECRET" not in str(error.value)
