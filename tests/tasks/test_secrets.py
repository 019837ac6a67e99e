"""Credentials stay where they are: in the environment and in URLs, not in anything that a run writes or says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from loading import rows_csv
from storage.range_server import Faults, RangeServer, serving

from vjepa_pipe.cli import main

SECRET = "planted-a1b2c3"
TINY = [
    "data=kinetics", "data.path_variables=[LIST]", "data.frames_per_clip=4", "data.img_size=64", "data.batch_size=2",
    "data.num_workers=1", "storage.retries=0", "storage.timeout_sec=5",
    "loader.max_failure_rate=1", "hydra.run.dir=run",
]  # fmt: skip


@pytest.fixture
def server(tmp_path: Path, videos_csv: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RangeServer]:
    """Serves a list of signed URLs: six videos, one that is damaged, and one that is not there."""
    folder = tmp_path / "served"
    folder.mkdir()
    rows_csv(folder / "whole.csv", videos_csv, {row: f"row{row}.mp4" for row in range(6)}, rows=6)
    (folder / "row6.mp4").write_bytes(b"no video" * 100)
    with serving(folder) as running:
        signed = [running.url(f"row{row}.mp4", f"X-Amz-Signature={SECRET}") for row in range(8)]
        signed[0] = signed[0].replace("://", f"://me:{SECRET}@")
        (folder / "list.csv").write_text("".join(f"{url} {row}\n" for row, url in enumerate(signed)))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LIST", running.url("list.csv", f"X-Amz-Signature={SECRET}"))
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("VJEPA_PIPE_CACHE", str(tmp_path / "cache"))
        yield running


def written(folder: Path) -> list[Path]:
    files = [file for name in ("run", "cache") for file in (folder / name).rglob("*") if file.is_file()]
    assert len(files) > 4
    return files


def check(folder: Path, said: str) -> None:
    assert SECRET not in said
    assert [file for file in written(folder) if SECRET.encode() in file.read_bytes()] == []


def test_a_run_with_bad_files(server: RangeServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(TINY) == 0
    said = capfd.readouterr()
    check(tmp_path, said.out + said.err)
    bad = [json.loads(line) for line in (tmp_path / "run" / "quarantine.jsonl").read_text().splitlines()]
    assert sorted(line["path"] for line in bad) == [server.url("row6.mp4"), server.url("row7.mp4")]
    assert f"2 in {server.url('list.csv')} (2 VideoError)" in said.err
    assert {"there is no such object"} < {line["reason"].partition(": ")[2] for line in bad}
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert list(run["data"]) == [server.url("list.csv")] and run["data"][server.url("list.csv")]["version"]


@pytest.mark.parametrize("fault", [
    Faults(status=503, only=r"(?!list).*"), Faults(status=403, only=r"row.*"), Faults(status=404), Faults(status=500),
], ids=["videos 503", "videos 403", "list 404", "all 500"])  # fmt: skip
def test_a_run_that_fails(
    server: RangeServer, tmp_path: Path, fault: Faults, capfd: pytest.CaptureFixture[str]
) -> None:
    server.faults = fault
    assert main([*TINY, "data.num_workers=0"]) == 1
    said = capfd.readouterr()
    check(tmp_path, said.out + said.err)
    assert said.err.count("error: ") == 1 and "Traceback" not in said.err
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["state"] == "failed" and "127.0.0.1" in status["error"]
