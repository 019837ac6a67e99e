"""One run at a time in a folder; one that ended, however it did, does not keep it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from full_disk import files_end_at
from sweeping import read

from vjepa_pipe import compose
from vjepa_pipe.config import UserError
from vjepa_pipe.records import Origin, RunRecord
from vjepa_pipe.records.status import STATUS, alone, state_of

EXPERIMENT = compose([])
RUNNING = {"state": "running", "host": socket.gethostname(), "pid": os.getpid(), "process_started": 0.0, "attempt": 2}


def enter(folder: Path) -> None:
    with RunRecord(folder, EXPERIMENT, Origin()):
        pass


def test_the_second_run_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with RunRecord(tmp_path / "run", EXPERIMENT, Origin(["first=1"])):
        for other in (EXPERIMENT, compose(["seed=9"])):
            with pytest.raises(UserError, match=f"{tmp_path}/run") as error:
                RunRecord(tmp_path / "run", other, Origin(["second=1"])).__enter__()
            assert "\n" not in str(error.value) and "choose another hydra.run.dir" in str(error.value)
        assert state_of(tmp_path / "run") == "running"
        assert read(tmp_path / "run" / "origin.json")["overrides"] == ["first=1"]
    enter(tmp_path / "run")


def test_of_two_that_start_together_one_is_refused(tmp_path: Path) -> None:
    with alone(tmp_path, "not now"), pytest.raises(UserError, match=f"another run is starting in {tmp_path}"):
        enter(tmp_path)
    enter(tmp_path)


@pytest.mark.parametrize(
    ("status", "free"),
    [
        (RUNNING, True),  # the number of a process that is gone
        (RUNNING | {"host": "elsewhere"}, False),
        (RUNNING | {"host": "elsewhere", "job": "7.0"}, True),  # this job, requeued
        (RUNNING | {"host": "elsewhere", "job": "8.0"}, False),
        (RUNNING | {"state": "killed"}, True),
        (RUNNING | {"state": "failed"}, True),
    ],
)
def test_who_may_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: dict[str, object], free: bool) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_STEP_ID", raising=False)
    (tmp_path / STATUS).write_text(json.dumps(status))
    if free:
        enter(tmp_path)
        assert read(tmp_path / STATUS)["attempt"] == 3
    else:
        with pytest.raises(UserError, match="on elsewhere"):
            enter(tmp_path)


def test_a_killed_runs_folder_is_free(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (tmp_path / STATUS).write_text(json.dumps(RUNNING | {"pid": process.pid, "process_started": time.time()}))
    with pytest.raises(UserError, match=f"process {process.pid}"):
        enter(tmp_path)
    process.kill()
    process.wait()
    enter(tmp_path)


@pytest.mark.parametrize("content", ["", '{"state": "runn', '{"state": 3}', "[]", '{"attempt": 1}', '{"more": 1}'])
def test_a_damaged_status_keeps_nobody_from_running_again(tmp_path: Path, content: str) -> None:
    (tmp_path / STATUS).write_text(content)
    assert state_of(tmp_path) == "damaged"
    enter(tmp_path)
    assert state_of(tmp_path) == "done"


def test_a_disk_that_fills_is_one_clear_line(tmp_path: Path) -> None:
    with files_end_at(600), pytest.raises(UserError, match=r"cannot write .*resolved_config\.yaml: File too large"):
        enter(tmp_path)
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]
