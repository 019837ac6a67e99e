"""Tasks on files at URLs: task=validate reads every row, task=prepare makes the copies it makes of local files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from footage import write_video
from loading import tiny
from storage.range_server import RangeServer, serving

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
    found = validate(tiny([url], *QUICK, *settings), tmp_path / "out")  # type: ignore[list-item]
    assert found["files"] is True and "pass files: 1 of 3 rows could not be read" in capsys.readouterr().err
    (line,) = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    assert json.loads(line)["path"] == server.url("2.mp4")
