"""Trackers get config, identity, git state and metrics; one that fails does not end the run."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from vjepa_pipe import compose
from vjepa_pipe.config import UserError
from vjepa_pipe.records import Origin, RunRecord
from vjepa_pipe.tasks.trackers import open_tracker


def tracked(folder: Path, *overrides: str, steps: int = 2) -> None:
    """A run that hands two steps to its tracker."""
    experiment = compose(["task=train", "training=vjepa2_pretrain", "seed=7", *overrides])
    with RunRecord(folder, experiment, Origin(), command=["launch.py"]):
        tracker = open_tracker(experiment, folder)
        for step in range(1, steps + 1):
            tracker.log({"loss": 1 / step}, step)
        tracker.close()


def test_tensorboard(tmp_path: Path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracked(tmp_path / "a", "tracker=tensorboard")
    events = EventAccumulator(str(tmp_path / "a" / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 1.0), (2, 0.5)]
    said = events.Tensors("run/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| `seed` | 7 |" in said and "| `identity` |" in said and ".commit` |" in said


def test_mlflow_goes_on_with_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # files are what a test can have; mlflow prefers databases
    store = f"tracker.tracking_uri=file://{tmp_path}/store"
    tracked(tmp_path / "a", "tracker=mlflow", store)
    tracked(tmp_path / "a", "tracker=mlflow", store)  # requeued
    tracked(tmp_path / "b", "tracker=mlflow", store)
    client = mlflow.MlflowClient(f"file://{tmp_path}/store")
    runs = client.search_runs([client.get_experiment_by_name("vjepa_pipe").experiment_id])
    assert len(runs) == 2
    assert all(run.data.params["seed"] == "7" and "identity" in run.data.tags for run in runs)
    assert any(name.endswith(".commit") for name in runs[0].data.tags)
    assert runs[0].data.metrics["loss"] == 0.5 and {run.info.status for run in runs} == {"FINISHED"}


class Recorder(types.ModuleType):
    """Stands for wandb and trackio: notes what it is called with."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.calls: list[tuple[str, Any]] = []

    def init(self, **settings: Any) -> Recorder:
        self.calls.append(("init", settings))
        return self

    def log(self, values: dict[str, float], step: int) -> None:
        self.calls.append(("log", (step, values)))

    def finish(self) -> None:
        self.calls.append(("finish", None))


@pytest.mark.parametrize(
    ("name", "settings"), [("wandb", {"mode": "offline", "project": "vjepa_pipe"}), ("trackio", {"project": "mine"})]
)
def test_wandb_and_trackio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, str]):
    fake = Recorder(name)
    monkeypatch.setitem(sys.modules, name, fake)
    tracked(tmp_path / "a", f"tracker={name}", *(f"tracker.{key}={value}" for key, value in settings.items()))
    (_, given), *logged = fake.calls
    assert given["config"]["seed"] == 7 and given["config"]["training.optimization.epochs"] == 10
    assert "identity" in given["config"] and any(key.startswith("git.") for key in given["config"])
    assert given["resume"] == "allow" and settings.items() <= given.items()
    assert logged == [("log", (1, {"loss": 1.0})), ("log", (2, {"loss": 0.5})), ("finish", None)]


def test_a_missing_package_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(UserError, match=r"needs trackio: pip install 'vjepa_pipe\[trackio\]'"):
        tracked(tmp_path, "tracker=trackio")


def test_a_tracker_that_fails_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fake = Recorder("wandb")
    monkeypatch.setitem(sys.modules, "wandb", fake)

    def no_network(values: dict[str, float], step: int) -> None:
        raise ConnectionError("no network")

    fake.log = no_network  # type: ignore[method-assign]
    tracked(tmp_path / "a", "tracker=wandb")
    said = capsys.readouterr().err
    assert said.count("WandbTracker is left out from here on, metrics.jsonl goes on: ConnectionError: no network") == 1

    def no_login(**settings: Any) -> None:
        raise PermissionError("no login")

    fake.init = no_login  # type: ignore[method-assign]
    with pytest.raises(UserError, match="does not begin: no login"):
        tracked(tmp_path / "b", "tracker=wandb")
