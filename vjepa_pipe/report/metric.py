"""Which metric runs are judged by, and whether it should be high or low."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vjepa_pipe.config.errors import ConfigError, did_you_mean
from vjepa_pipe.config.sweep import MAXIMIZE, MINIMIZE
from vjepa_pipe.records import Run
from vjepa_pipe.records.plan import PlanFile

LARGEST = 1e99
"""Metrics are smaller, so that their squares are numbers too."""
OF_TASK = {"probe": "top1", "train": "loss", "stream": "clips_per_sec"}
"""The metric of a task, by the name of its function."""
_TELLING = (
    ("top1|top5|acc|accuracy|auc|f1", MAXIMIZE),
    ("loss|error|mse|mae|perplexity", MINIMIZE),
    ("per_sec", MAXIMIZE),
)
"""Parts of a metric's name that tell its direction; those of the first line are chosen first."""


@dataclass(frozen=True)
class Metric:
    """A metric to judge runs by.

    Attributes:
        name: As in the runs' metrics.
        direction: `maximize` or `minimize`.
    """

    name: str
    direction: str


@dataclass(frozen=True)
class Asked:
    """The metric and direction that were asked for; None: the task or the metric's name tells.

    Attributes:
        metric: Name of a metric.
        direction: `maximize` or `minimize`.
        called: What messages put before these two names: `--` or `sweep.`.
    """

    metric: str | None = None
    direction: str | None = None
    called: str = "--"

    def before_runs(self, target: str) -> Metric | None:
        """The metric of runs that have none yet; None if neither the user nor the task names one.

        Args:
            target: The `_target_` of their task.

        Raises:
            ConfigError: If its direction is not known.
        """
        name = self.metric or OF_TASK.get(target.rpartition(".")[2])
        return None if name is None else self._directed(name)

    def after_runs(self, runs: Sequence[Run]) -> Metric | None:
        """The metric of runs; None if none of theirs tells its direction, or they are of several tasks.

        Raises:
            ConfigError: If no run has the one that was asked for, or its direction is not known.
        """
        names = list(dict.fromkeys(name for run in runs for name in run.metrics if is_number(run.metrics[name])))
        if self.metric is not None:
            if names and self.metric not in names:
                hint = did_you_mean(self.metric, names)
                there = f"; they have {', '.join(names)}"
                raise ConfigError([f"{self.called}metric: no run has {self.metric}{hint}{there}"])
            return self._directed(self.metric)
        targets = {str(run.settings.get("task._target_", "")) for run in runs}
        if len(targets) > 1:
            return None
        of_task = self.before_runs(targets.pop())
        if of_task is not None and of_task.name in names:
            return of_task
        first = min((name for name in names if _told(name)), key=lambda name: _told(name)[0], default=None)
        return None if first is None else self._directed(first)

    def _directed(self, name: str) -> Metric:
        told = _told(name)
        if self.direction is None and not told:
            raise ConfigError(
                [f"{self.called}direction must be given, {MINIMIZE} or {MAXIMIZE}: the name {name} does not tell"]
            )
        return Metric(name, self.direction or told[1])


def asked_in(plan: PlanFile) -> Asked:
    """What a sweep was told to rank its points by."""
    return Asked(plan.metric, plan.direction, "sweep.")


def is_number(value: Any) -> bool:
    """Whether a metric can be averaged and compared."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST


def _told(name: str) -> tuple[Any, ...]:
    """Which line of `_TELLING` a name fits, and its direction; empty if none."""
    for line, (parts, direction) in enumerate(_TELLING):
        if re.search(rf"(?<![a-z])({parts})(?![a-z])", name.lower()):
            return line, direction
    return ()
