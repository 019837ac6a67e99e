"""task=index of a list at a URL, and training by that index: the batches of the same files on this machine."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from footage import write_video
from loading import digests, loader_of, rows_csv, tiny
from storage.range_server import Faults, RangeServer, serving

from vjepa_pipe import compose
from vjepa_pipe.config import UserError
from vjepa_pipe.datasets import VideoDataset
from vjepa_pipe.loader import manager
from vjepa_pipe.tasks import run_task

QUICK = ("storage.retries=0", "storage.timeout_sec=2")


@pytest.fixture
def server(tmp_path: Path, videos_csv: Path) -> Iterator[RangeServer]:
    """Serves eight good videos as `row0.mp4` to `row7.mp4`, a webm, a text, and their list."""
    folder = tmp_path / "served"
    folder.mkdir()
    rows_csv(folder / "whole.csv", videos_csv, {row: f"row{row}.mp4" for row in range(8)}, rows=8)
    write_video(folder / "row8.webm", 30, codec="libvpx", options={"deadline": "realtime", "cpu-used": "8"})
    (folder / "row9.mp4").write_text("no video")
    names = [*(f"row{row}.mp4" for row in range(8)), "row8.webm", "row9.mp4"]
    (folder / "rows.csv").write_text("".join(f"{name} {row}\n" for row, name in enumerate(names)))
    with serving(folder) as running:
        yield running


def run_index(server: RangeServer, folder: Path, *more: str) -> dict[str, Any]:
    few = ["task.workers=1", "mask=none", "data.batch_size=2", f"task.index_dir={folder}", *QUICK, *more]
    experiment = compose(["task=index", "data=csv", f"data.data_paths=[{server.url('rows.csv')}]", *few])
    return run_task(experiment, folder / "out")


def remote(server: RangeServer, *overrides: str) -> Any:
    return tiny(server.url("rows.csv"), *QUICK, *overrides)


def asked(server: RangeServer) -> set[str]:
    return {path for _, path, _ in server.requests}


def test_an_index_is_made_once_and_gives_the_same_batches_with_one_request_a_clip(
    server: RangeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    index = tmp_path / "index"
    with caplog.at_level(logging.INFO):
        found = run_index(server, index)
    assert (found["files"], found["bad"]) == (10, 1)
    assert "makes that one request" not in caplog.text
    there = sum(file.stat().st_size for file in server.folder.glob("row[0-8].*")) / 1e6  # each fits into one block
    assert f"1 bad, {there:.1f} of {there:.1f} MB at URLs were read" in " ".join(capsys.readouterr().err.split())

    log = index / "rows.jsonl"
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines[:6], lines[6][:40]]))  # as a run that was killed leaves it
    (index / "rows.done").unlink()
    (server.folder / "row2.mp4").write_bytes((server.folder / "row3.mp4").read_bytes())
    server.requests.clear()
    run_index(server, index)
    probed = {path for method, path, _ in server.requests if method == "GET"} - {"rows.csv"}
    done = {json.loads(line)["path"].rpartition("/")[2] for line in lines[:6]}
    assert probed == {f"row{row}.{'webm' if row == 8 else 'mp4'}" for row in range(10)} - done | {"row2.mp4"}
    rows = pyarrow.parquet.read_table(index / "rows.parquet").to_pylist()
    assert [row["path"].rpartition("/")[2] for row in rows if row["error"]] == ["row9.mp4"]
    assert rows[2]["stamp"] == rows[3]["stamp"] != rows[4]["stamp"]

    expected = digests(loader_of(tiny(server.folder / "rows.csv"), tmp_path))
    manager._say_once.cache_clear()  # of a source of this name in an earlier test
    with caplog.at_level(logging.INFO):
        assert digests(loader_of(remote(server), tmp_path)) == expected
    assert caplog.text.count("rows: each clip at a URL costs a request for the start of its file") == 1
    for workers in (0, 2):
        server.requests.clear()
        loader = loader_of(remote(server, f"data.index_dir={index}", f"data.num_workers={workers}"), tmp_path)
        assert digests(loader) == expected
        loader.close()
        assert "row9.mp4" not in asked(server)
        clips = [path for _, path, _ in server.requests if path != "rows.csv"]
        assert len(clips) == 2 * len(expected)


def test_an_object_that_has_changed_is_a_bad_sample(server: RangeServer, tmp_path: Path) -> None:
    run_index(server, tmp_path / "index")
    for name in ("row3.mp4", "row8.webm"):
        (server.folder / name).write_bytes((server.folder / "row4.mp4").read_bytes() + b"\0")
    loader = loader_of(remote(server, f"data.index_dir={tmp_path / 'index'}"), tmp_path)
    rows = {row for batch in loader for row in batch["row"].tolist()}
    assert rows.isdisjoint({3, 8, 9}) and len(rows) > 4
    lines = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert {line["path"] for line in lines} == {server.url("row3.mp4"), server.url("row8.webm")}
    dataset = VideoDataset(server.url("rows.csv"), index_dir=tmp_path / "index", on_bad_sample="raise")
    with pytest.raises(UserError, match=r"row3\.mp4: has changed since it was indexed"):
        dataset[3]
    with pytest.raises(UserError, match=r"row9\.mp4: bad in .*rows\.parquet"):
        dataset[9]


def test_bad_objects_and_a_store_that_is_gone(server: RangeServer, tmp_path: Path) -> None:
    (server.folder / "rows.csv").write_text("row0.mp4 0\nrow1.mp4 1\nnone.mp4 2\n")
    server.faults = Faults(status=403, only=r"row1\.mp4")
    assert run_index(server, tmp_path / "index")["bad"] == 2
    errors = {row["path"].rpartition("/")[2]: row["error"] for row in read(tmp_path / "index")}
    assert errors == {
        "row0.mp4": None, "row1.mp4": f"{server.url('row1.mp4')}: access is denied (403)",
        "none.mp4": f"{server.url('none.mp4')}: there is no such object",
    }  # fmt: skip
    server.faults = Faults()
    assert run_index(server, tmp_path / "index")["bad"] == 1  # it is looked at again
    (server.folder / "rows.csv").write_text("row5.mp4 0\n")
    server.faults = Faults(status=503, only=r"(?!rows).*")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:\d+ cannot be read: it answers 503"):
        run_index(server, tmp_path / "other")
    assert (tmp_path / "other" / "rows.jsonl").read_text().split() == []


def read(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(folder / "rows.parquet").to_pylist()
    return found


def test_rows_that_may_hold_a_credential_are_refused(server: RangeServer, tmp_path: Path) -> None:
    (server.folder / "rows.csv").write_text(f"row0.mp4 0\n{server.url('row1.mp4', 'sig=SECRET')} 1\n")
    with pytest.raises(UserError, match=r"row1\.mp4: its URL has a user name or a query") as error:
        run_index(server, tmp_path / "index")
    assert "SECRET" not in str(error.value)
