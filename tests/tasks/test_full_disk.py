"""Files of a task that cannot be written: one clear error that names the file, and what was there stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from full_disk import files_end_at
from loading import tiny
from published_files import write_file

from vjepa_pipe import compose
from vjepa_pipe.config import UserError
from vjepa_pipe.loader.report import Report
from vjepa_pipe.tasks import benchmark, statistics
from vjepa_pipe.tasks.external import external
from vjepa_pipe.tasks.shard_log import append_entry, read_log
from vjepa_pipe.tasks.stopping import save_state
from vjepa_pipe.tasks.stream import stream
from vjepa_pipe.tasks.summary import Summary
from vjepa_pipe.video.probe import Probe

ENTRY = {"path": "a.mp4", "stamp": [1, 2], "error": "bad"}
FOUND = {
    "frames": 9, "fps": 4, "duration": 2.25, "width": 8, "height": 8, "codec": "h264", "container": "mp4",
    "rotation": 0, "bytes": 1, "key_frames": [0], "packets": "", "bytes_read": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("summary.json", lambda file: Summary(Report({})).write(file)),
        ("state.json", lambda file: save_state(file, {"place": list(range(99))})),
        ("statistics.json", lambda file: statistics._keep({"states": list(range(99))}, file)),
        ("rows.jsonl", lambda file: append_entry(file, json.dumps(ENTRY).encode() + b"\n")),
    ],
)
def test_what_was_there_stays(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    file = tmp_path / name
    write(file)
    before = file.read_bytes()
    with files_end_at(len(before) // 2), pytest.raises(UserError, match=f"cannot write {file}: File too large"):
        write(file)
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


def test_a_summary_that_cannot_be_written_leaves_the_place(videos_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*summary\.json"):
        stream(tiny(videos_csv, "task.max_batches=1", "task.progress=false"), tmp_path)
    assert json.loads((tmp_path / "state.json").read_text())["position"] > 0


def test_published_arguments_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_file(tmp_path, "vjepa")
    (tmp_path / "published_args.yaml").mkdir()
    experiment = compose([f"legacy={file}", "task=external", "task.entry=json:dumps"])
    with pytest.raises(UserError, match=r"cannot write .*published_args\.yaml"):
        external(experiment, tmp_path)


def test_a_benchmark_that_cannot_be_written(videos_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "loader_rate", lambda loader, batches: (1.0, 1.0))
    (tmp_path / "benchmark.json").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*benchmark\.json"):
        benchmark.benchmark(tiny(videos_csv, "task=benchmark", "task.clips=1"), tmp_path)


def test_a_cache_that_cannot_be_written_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").touch()
    monkeypatch.setenv("VJEPA_PIPE_CACHE", str(tmp_path / "cache"))
    compose([f"legacy={write_file(tmp_path, 'vjepa')}"])  # a published file leaves nothing in the cache
    with pytest.raises(UserError, match=f"cannot make the folder {tmp_path}/cache/statistics"):
        statistics._keep({}, tmp_path / "cache" / "statistics" / "x.json")


def lines(*entries: Any) -> bytes:
    return b"".join(entry if isinstance(entry, bytes) else json.dumps(entry).encode() + b"\n" for entry in entries)


def test_what_is_no_entry_of_an_index_log_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "rows.jsonl"
    good = ENTRY | {"error": None} | FOUND
    others = [
        [], {}, 3, ENTRY | {"path": 3}, ENTRY | {"stamp": ["x"]}, good | {"frames": "9"}, good | {"bytes": 10**30},
        good | {"key_frames": [0.5]}, {"path": "a", "stamp": [], "error": None},
    ]  # fmt: skip
    log.write_bytes(lines(ENTRY, *others, b"[" * 100_000 + b"\n", b"\xff\n", good, b'{"path": "cut'))
    assert [entry for _, entry in read_log(log, Probe)] == [ENTRY, good]
