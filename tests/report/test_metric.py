"""The metric that runs are ranked by: the task's, the one that was asked for, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from vjepa_pipe.config import ConfigError
from vjepa_pipe.records import Run
from vjepa_pipe.report import Asked
from vjepa_pipe.report.metric import Metric


def runs(task: str, *metrics: str) -> list[Run]:
    target = f"vjepa_pipe.tasks.{task}.{task}"
    done = Run(Path("a"), {"task._target_": target}, {}, set(), {}, {name: i for i, name in enumerate(metrics)})
    return [Run(Path("b"), {"task._target_": target}, {}, set()), done]


@pytest.mark.parametrize(("task", "metrics", "chosen"), [
    ("probe", ["loss", "top1", "clips_per_sec"], Metric("top1", "maximize")),
    ("train", ["steps", "loss", "clips_per_sec"], Metric("loss", "minimize")),
    ("stream", ["clips", "clips_per_sec", "wait_sec"], Metric("clips_per_sec", "maximize")),
    ("external", ["epoch", "train_loss", "val.acc"], Metric("val.acc", "maximize")),
    ("external", ["epoch", "Val_Loss"], Metric("Val_Loss", "minimize")),
    ("external", ["epoch", "closs", "topology1"], None),
    ("external", [], None),
])  # fmt: skip
def test_a_task_has_its_metric(task: str, metrics: list[str], chosen: Metric | None) -> None:
    assert Asked().after_runs(runs(task, *metrics)) == chosen


def test_what_is_asked_for_counts() -> None:
    of = runs("probe", "top1", "loss", "ece")
    assert Asked("loss").after_runs(of) == Metric("loss", "minimize")
    assert Asked("loss", "maximize").after_runs(of) == Metric("loss", "maximize")
    assert Asked(direction="minimize").after_runs(of) == Metric("top1", "minimize")
    assert Asked("ece", "minimize").after_runs(of) == Metric("ece", "minimize")
    with pytest.raises(ConfigError, match="--direction must be given, minimize or maximize: the name ece does not"):
        Asked("ece").after_runs(of)
    with pytest.raises(ConfigError, match=r"sweep\.metric: no run has top11 \(did you mean top1\?\); they have top1"):
        Asked("top11", called="sweep.").after_runs(of)
    assert Asked("top11").after_runs(runs("probe")) == Metric("top11", "maximize")  # none has run yet


def test_runs_of_several_tasks_have_none_in_common() -> None:
    of = [*runs("probe", "top1", "loss"), *runs("train", "loss")]
    assert Asked().after_runs(of) is None and Asked("loss").after_runs(of) == Metric("loss", "minimize")


def test_text_and_booleans_are_no_metrics() -> None:
    of = runs("external")
    of[0].metrics = {"loss": float("nan"), "mse": 1e200, "note": "loss", "top1": True, "val_loss": 0.5}
    assert Asked().after_runs(of) == Metric("val_loss", "minimize")
