"""Workers that hang in native code, crash or are killed: order kept, nothing lost, nothing twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from hazards import hang
from loading import digests, loader_of, rows_csv, tiny

from vjepa_pipe import DataManager
from vjepa_pipe.loader import WorkersKeepDying, pool, pulse
from vjepa_pipe.loader.pulse import Phase

HAZARDOUS = ["decoder._target_=hazards.HazardousDecoder", "data.num_workers=2", "loader.sample_timeout_sec=1"]


def positions(batches: list[dict]) -> list[int]:
    return [key.position for batch in batches for key in batch["key"]]


@pytest.mark.parametrize(
    ("hazard", "method"),
    [
        ("hang", "fork"),
        ("segfault", "forkserver"),
        ("abort", "fork"),
        ("exit", "fork"),
        pytest.param("hang", "spawn", marks=pytest.mark.soak),
    ],
)  # fmt: skip
def test_sample_that_ends_workers_is_replaced_and_named(videos_csv: Path, tmp_path: Path, hazard: str, method: str):
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {3: f"{hazard}.mp4"})
    workers = 2 if method == "fork" else 1  # the other ways take seconds to start one
    loader = loader_of(tiny(rows, *HAZARDOUS, f"loader.start_method={method}", f"data.num_workers={workers}"), tmp_path)
    batches = list(loader)
    loader.close()

    assert positions(batches) == list(range(8))
    (line,) = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert (line["source"], line["row"], line["error"], line["decoder"]) == ("rows", 3, "WorkerEnded", "hazardous")
    assert f"{hazard}.mp4: 2 workers ended while reading it" in line["reason"]
    assert any(batches[line["step"] - 1]["replaced"])
    assert loader.report.restarts >= 2  # on a busy machine a good row may take longer than the second allowed
    (replaced,) = [bad for batch in batches for sample in batch["replaced"] for bad in sample]
    assert (replaced.row, replaced.error) == (3, "Quarantined")

    # The same batches as those of a run that was told, in this very process.
    told = loader_of(tiny(rows, f"loader.quarantine={tmp_path}"), tmp_path / "told")
    assert digests(batches) == digests(told)


def test_a_worker_killed_once_changes_no_batch(videos_csv: Path, tmp_path: Path):
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {3: "once.mp4", 6: "once2.mp4"})
    expected = digests(loader_of(tiny(rows), tmp_path))
    loader = loader_of(tiny(rows, *HAZARDOUS), tmp_path)
    assert digests(loader) == expected
    assert loader.report.restarts == 2
    assert not (tmp_path / "quarantine.jsonl").exists()


@pytest.mark.parametrize(("kind", "deaths"), [("killed", 3), ("terminated", 3), ("alarmed", 3), ("stopped", 2)])
def test_signals_from_outside_are_no_fault_of_the_row(videos_csv: Path, tmp_path: Path, kind: str, deaths: int):
    """However often they come while the same row is read."""
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {3: f"{kind}.mp4"})
    expected = digests(loader_of(tiny(rows), tmp_path))
    loader = loader_of(tiny(rows, *HAZARDOUS), tmp_path)
    assert digests(loader) == expected
    loader.close()
    assert loader.report.restarts == deaths
    assert not (tmp_path / "quarantine.jsonl").exists()


def test_sigterm_of_a_whole_job_leaves_it_time_to_save(videos_csv: Path, tmp_path: Path):
    """SLURM and systemd send it to every process; the main one may need more batches before it stops."""
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {})
    expected = loader_of(tiny(rows), tmp_path)
    expected = digests([*expected, *expected])
    others = set(psutil.Process().children(recursive=True))
    loader = loader_of(tiny(rows, "data.num_workers=1"), tmp_path)
    stream = iter(loader)
    first = next(stream)
    for process in set(psutil.Process().children(recursive=True)) - others:
        process.terminate()
    assert digests([first, *stream, *loader]) == expected
    loader.close()


def test_a_row_that_takes_all_memory_is_blamed(videos_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pool, "GROWTH_BYTES", 2**26)
    monkeypatch.setattr(pool, "_TICK_SEC", 0.1)  # this row ends its worker sooner than memory runs out
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {3: "grow.mp4"})
    loader = loader_of(tiny(rows, *HAZARDOUS, "loader.sample_timeout_sec=60", "loader.max_restarts=99"), tmp_path)
    assert positions(list(loader)) == list(range(8))
    loader.close()
    (line,) = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert line["row"] == 3 and "SIGKILL, after its memory grew by 0." in line["reason"]


def test_too_many_kills_from_outside_say_so(videos_csv: Path, tmp_path: Path):
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {3: "killed.mp4"})
    loader = loader_of(tiny(rows, *HAZARDOUS, "loader.max_restarts=2"), tmp_path)
    with pytest.raises(
        WorkersKeepDying, match=r"SIGKILL, while reading .*; it was ended from outside: if by the kernel"
    ):
        list(loader)


def test_collation_is_watched(videos_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(pulse._LEAST, Phase.COLLATING, 1.0)
    collate = lambda samples: hang()  # noqa: E731
    loader = DataManager(tiny(videos_csv, *HAZARDOUS), output_dir=tmp_path).build_train_loader(collate)
    with pytest.raises(WorkersKeepDying, match="2 workers ended while collating a batch, the same batch each time"):
        next(iter(loader))
    assert not (tmp_path / "quarantine.jsonl").exists()


def test_a_stopped_program_blames_nobody(videos_csv: Path, tmp_path: Path):
    """As in a frozen container: nobody looked meanwhile."""
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {row: f"slow{row}.mp4" for row in range(8)})
    expected = digests(loader_of(tiny(rows), tmp_path))
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.setpgid(0, 0)
        loader = loader_of(tiny(rows, *HAZARDOUS), tmp_path)
        os.write(writing, json.dumps(digests(loader)).encode())
        os._exit(0)
    os.setpgid(child, child)
    time.sleep(1.0)
    for _ in range(2):
        os.killpg(child, signal.SIGSTOP)
        time.sleep(1.5)
        os.killpg(child, signal.SIGCONT)
        time.sleep(0.3)
    os.waitpid(child, 0)
    assert json.loads(os.read(reading, 10_000)) == expected
    assert not (tmp_path / "quarantine.jsonl").exists()


def test_workers_killed_between_batches_change_nothing(videos_csv: Path, tmp_path: Path):
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {}, rows=24)
    expected = digests(loader_of(tiny(rows), tmp_path))
    loader = loader_of(tiny(rows, *HAZARDOUS, "loader.sample_timeout_sec=60"), tmp_path)
    found = []
    for number, batch in enumerate(loader):
        found.extend(digests([batch]))
        if number % 3 == 0:
            os.kill(loader._pool.pids[number % 2], signal.SIGKILL)
            time.sleep(0.05)  # a death while the trainer is busy must not raise there
    assert found == expected
    assert loader.report.restarts >= 3  # the last may die with nothing left to do


def test_restarts_are_bounded(videos_csv: Path, tmp_path: Path):
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, {row: f"exit{row}.mp4" for row in range(6)})
    loader = loader_of(tiny(rows, *HAZARDOUS, "loader.max_restarts=3"), tmp_path)
    with pytest.raises(WorkersKeepDying, match=r"exit status 3, while reading .*exit.*mp4\), the 4\. in this epoch"):
        list(loader)
    assert not multiprocessing.active_children()


def test_programming_errors_reach_the_trainer_with_their_traceback(videos_csv: Path, tmp_path: Path):
    def broken(samples):
        raise KeyError("no such thing")

    loader = DataManager(tiny(videos_csv, "data.num_workers=1"), output_dir=tmp_path).build_train_loader(broken)
    with pytest.raises(KeyError, match="no such thing") as error:
        list(loader)
    assert "in broken" in error.value.__notes__[0]


def test_a_pass_that_was_left_cannot_go_on_beside_the_next(videos_csv: Path, tmp_path: Path):
    second = loader_of(tiny(videos_csv), tmp_path)
    second.set_epoch(1)
    loader = loader_of(tiny(videos_csv, "data.num_workers=2"), tmp_path)
    stale = iter(loader)
    next(stale)
    assert digests(loader) == digests(second)
    with pytest.raises(RuntimeError, match="another pass over this loader has begun"):
        next(stale)


@pytest.mark.parametrize("hazards", [{}, {row: f"hang{row}.mp4" for row in range(3, 8)}])
def test_workers_end_with_the_main_process(videos_csv: Path, tmp_path: Path, hazards: dict[int, str]):
    """Also those that hang and hold the GIL, as no thread of Python could end them."""
    rows = rows_csv(tmp_path / "rows.csv", videos_csv, hazards)
    child = os.fork()
    if child == 0:
        loader = loader_of(tiny(rows, *HAZARDOUS), tmp_path)
        loader._config.sample_timeout_sec = 1
        while True:
            list(loader)
    until = time.monotonic() + 300
    while len(workers := psutil.Process(child).children(recursive=True)) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(workers) >= 3, "two servers and a worker at least"
    until = time.monotonic() + 300
    while any(worker.is_running() and worker.status() != "zombie" for worker in workers):
        assert time.monotonic() < until, f"{workers} outlive the main process"
        time.sleep(0.1)
