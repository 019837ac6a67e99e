"""What a run leaves, and how it is judged from outside."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sweeping import read
from toy_task import TARGET

from vjepa_pipe import compose
from vjepa_pipe.config import UserError, allow_targets
from vjepa_pipe.files.whole_file import write_whole
from vjepa_pipe.records import Origin, RunRecord, claim_folder, read_run
from vjepa_pipe.records.environment import code, data_fingerprint
from vjepa_pipe.records.status import GONE_AFTER_SEC, STATUS, state_of
from vjepa_pipe.tasks import run_task

EXPERIMENT = compose(["seed=3"])


def test_record_of_a_run(tmp_path: Path) -> None:
    with RunRecord(tmp_path, EXPERIMENT, Origin(["seed=3"])) as record:
        assert state_of(tmp_path) == "running"
        record.finish({"loss": 0.5})
    assert state_of(tmp_path) == "done"
    content = read(tmp_path / "run.json")
    assert content["seed"] == 3 and content["decoder"] == "vjepa_pipe.video.PyavDecoder" and len(content["id"]) == 64
    assert {"python", "torch", "hydra-core", "av"} <= set(content["versions"])
    assert content["host"]["name"] == socket.gethostname()
    run = read_run(tmp_path)
    assert run.metrics == {"loss": 0.5} and run.settings["seed"] == 3 and run.status["attempt"] == 1


def test_a_failure_keeps_its_traceback_and_ctrl_c_is_killed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunRecord(tmp_path / "a", EXPERIMENT, Origin()):
        _ = 1 / 0
    status = read(tmp_path / "a" / STATUS)
    assert status["state"] == "failed" and "1 / 0" in status["traceback"]
    with pytest.raises(KeyboardInterrupt), RunRecord(tmp_path / "b", EXPERIMENT, Origin()):
        raise KeyboardInterrupt
    assert state_of(tmp_path / "b") == "killed"


def test_the_same_experiment_may_run_again_in_its_folder_and_no_other(tmp_path: Path) -> None:
    for attempt in (1, 2):
        with RunRecord(tmp_path, EXPERIMENT, Origin()):
            pass
        assert read(tmp_path / STATUS)["attempt"] == attempt
    with pytest.raises(UserError, match="holds a run of another experiment"):
        RunRecord(tmp_path, compose(["seed=4"]), Origin()).__enter__()


def test_a_run_that_failed_before_it_left_anything_does_not_hold_its_folder(tmp_path: Path) -> None:
    other = compose(["seed=4"])
    with pytest.raises(ZeroDivisionError), RunRecord(tmp_path, EXPERIMENT, Origin()):
        _ = 1 / 0
    for name in ("uncommitted.diff", "steps.jsonl"):
        (tmp_path / name).write_text("of the run that failed")
    with pytest.raises(ZeroDivisionError), RunRecord(tmp_path, other, Origin()):
        assert read(tmp_path / "run.json")["seed"] == 4
        assert all(file.read_text() != "of the run that failed" for file in tmp_path.glob("*.[dj]*"))
        (tmp_path / "checkpoint.pt").touch()
        _ = 1 / 0
    with pytest.raises(UserError, match="holds a run of another experiment"):
        RunRecord(tmp_path, EXPERIMENT, Origin()).__enter__()


def test_an_attempt_that_was_cut_short_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    allow_targets("toy_task.*")
    experiment = compose([TARGET, "seed=16"])
    with pytest.raises(KeyboardInterrupt):
        run_task(experiment, tmp_path)
    assert run_task(experiment, tmp_path)["loss"] == 1.6
    assert "going on from" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):  # after it was done, it starts anew
        run_task(experiment, tmp_path)


def test_only_the_first_rank_writes(tmp_path: Path) -> None:
    with RunRecord(tmp_path / "run", EXPERIMENT, Origin(), rank=1) as record:
        record.finish({"loss": 1})
    assert not (tmp_path / "run").exists()


def test_running_is_believed_only_of_a_process_that_lives(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    status = {"state": "running", "host": socket.gethostname(), "pid": process.pid, "process_started": time.time()}
    (tmp_path / STATUS).write_text(json.dumps(status))
    assert state_of(tmp_path) == "killed"
    (tmp_path / STATUS).write_text(json.dumps(status | {"pid": os.getpid(), "process_started": 0}))
    assert state_of(tmp_path) == "killed"  # a process number that was used again
    (tmp_path / STATUS).write_text(json.dumps(status | {"host": "elsewhere"}))
    assert state_of(tmp_path) == "running"
    long_ago = time.time() - GONE_AFTER_SEC - 1
    os.utime(tmp_path / STATUS, (long_ago, long_ago))
    assert state_of(tmp_path) == "killed"


def test_folders_of_equal_names(tmp_path: Path) -> None:
    found = [claim_folder(tmp_path / "run") for _ in range(3)]
    assert [folder.name for folder in found] == ["run", "run_2", "run_3"]


def test_git_state_and_uncommitted_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=tmp_path, check=True)

    git("init", "-q")
    (tmp_path / "file.txt").write_text("one\n")
    git("add", ".")
    git("commit", "-qm", "first")
    (tmp_path / "file.txt").write_text("two\n")
    (tmp_path / "new.txt").write_text("new\n")
    monkeypatch.chdir(tmp_path)
    repositories, diff = code()
    own = repositories[tmp_path.name]
    assert len(own["commit"]) == 40 and own["uncommitted"] == ["file.txt", "new.txt"]
    assert "-one\n+two\n" in diff


def test_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a.mp4 0\n")
    before = data_fingerprint([str(file), str(tmp_path / "no.csv")])
    assert before[str(tmp_path / "no.csv")] == {"error": "No such file or directory"}
    file.write_text("a.mp4 1\n")
    assert data_fingerprint([str(file)])[str(file)]["sha256"] != before[str(file)]["sha256"]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write .*missing/x: No such file"):
        write_whole(tmp_path / "missing" / "x", "text")
    write_whole(tmp_path / "x", "first")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "x", "\ud800")
    assert (tmp_path / "x").read_text() == "first" and len(list(tmp_path.iterdir())) == 1
