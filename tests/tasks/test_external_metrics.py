"""What a trainer of the user's measures becomes the run's metrics; it may have settings of its own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from published_files import write_file
from sweeping import read

from vjepa_pipe import compose
from vjepa_pipe.cli import main
from vjepa_pipe.config import ConfigError
from vjepa_pipe.tasks.external import external
from vjepa_pipe.tasks.external_metrics import LeftFiles, numbers

TRAINER = """
import csv, pathlib
def published(args, scale=1.0):  # as the published trainers log
    for epoch in (1, 2):
        with open(pathlib.Path(args["folder"]) / "log_r0.csv", "a") as log:
            if epoch == 1:
                print("epoch,itr,loss,note", file=log)
            print(f"{epoch},{7 * epoch},{scale * args['optimization']['lr'] / epoch:.5f},x", file=log)
def own(lr, steps=1, folder=None, experiment=None):
    pathlib.Path(folder, "metrics.json").write_text('{"loss": %s, "note": "x"}' % (lr * experiment.seed))
def curve(lr, folder):
    with open(pathlib.Path(folder, "metrics.jsonl"), "a") as log:
        for step in range(2):
            print('{"step": %d, "val": {"loss": %s}}' % (step, lr / (step + 1)), file=log)
def counts(**args):
    return {"seen": len(args), "model": object(), "val": {"acc": 0.5}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_trainer.py").write_text(TRAINER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sweep_over_a_published_trainer_compares_its_log(here: Path) -> None:
    file = write_file(here, "vjepa", folder=str(here / "shared"))
    assert main([
        "-m", f"legacy={file}", "task=external", "task.entry=own_trainer:published", "hydra.sweep.dir=sweep",
        "training.optimization.lr=0.1,0.2", "+task.args.scale=10",
    ]) == 0  # fmt: skip
    with Path("sweep/results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["epoch"], row["itr"], row["loss"]) for row in rows] == [("2", "14", "0.5"), ("2", "14", "1")]


def test_a_trainer_with_settings_of_its_own(here: Path) -> None:
    assert main([
        "-m", "task=external", "task.entry=own_trainer:own", "hydra.sweep.dir=sweep", "seed=3",
        "+task.args.lr=0.5,2",
    ]) == 0  # fmt: skip
    assert [read(file) for file in sorted(Path("sweep").glob("*/metrics.json"))] == [{"loss": 1.5}, {"loss": 6.0}]
    with Path("sweep/results.csv").open() as stream:
        assert [row["task.args.lr"] for row in csv.DictReader(stream)] == ["0.5", "2"]


def test_a_trainer_that_writes_a_curve(here: Path) -> None:
    assert main(["task=external", "task.entry=own_trainer:curve", "+task.args.lr=0.5", "hydra.run.dir=out"]) == 0
    assert read(here / "out" / "metrics.json") == {"val.loss": 0.25}


@pytest.mark.parametrize(
    ("args", "fault"),
    [("{}", "missing a required argument: 'lr'"), ("{lr: 1, rate: 2}", "got an unexpected keyword argument 'rate'")],
)
def test_arguments_that_do_not_fit_are_said_before_it_starts(here: Path, args: str, fault: str) -> None:
    experiment = compose(["task=external", "task.entry=own_trainer:own", f"+task.args={args}"])
    with pytest.raises(ConfigError, match=f"own_trainer:own does not take task.args .*{fault}"):
        external(experiment, here)


def test_what_a_trainer_returns(here: Path) -> None:
    experiment = compose(["task=external", "task.entry=own_trainer:counts", "+task.args={a: 1, b: [2]}"])
    assert external(experiment, here) == {"seen": 2, "val.acc": 0.5}
    found = numbers(
        {"a": np.float32(0.5), "b": torch.tensor(2), "c": torch.zeros(3), "d": "x", "e": True, "f": 10**200}
    )
    assert found == {"a": 0.5, "b": 2, "e": True}
    assert not numbers(None) and not numbers([1.0]) and not numbers(3)


def test_files_of_earlier_runs_and_damaged_ones_do_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "metrics.json").write_text('{"loss": 1}')
    (tmp_path / "log_r0.csv").write_text("epoch,loss\n1,0.1\n")
    left = LeftFiles([tmp_path])
    assert left.metrics() == {}
    with (tmp_path / "log_r0.csv").open("a") as log:
        log.write("epoch,loss,time(ms)\n\n2,nan,10\n3,0.25,11\n4,0.")
    assert left.metrics() == {"epoch": 3, "loss": 0.25, "time(ms)": 11}
    (tmp_path / "metrics.json").write_text('{"loss": 1')
    assert left.metrics()["epoch"] == 3 and "no metrics are taken from" in capsys.readouterr().err
    (tmp_path / "metrics.json").write_text(json.dumps({"loss": 7}))
    assert left.metrics() == {"loss": 7}


def test_evaluations_log_below_their_folder(tmp_path: Path) -> None:
    left = LeftFiles([tmp_path])
    log = tmp_path / "video_classification_frozen" / "tag" / "log_r0.csv"
    log.parent.mkdir(parents=True)
    log.write_text("epoch,loss,acc\n1,0.5,71.25\n")
    assert left.metrics() == {"epoch": 1, "loss": 0.5, "acc": 71.25}
