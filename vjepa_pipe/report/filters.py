"""Which of many runs a report is about."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from vjepa_pipe.config.errors import ConfigError, UserError, did_you_mean
from vjepa_pipe.records import Run
from vjepa_pipe.records.where import Where

_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@dataclass(frozen=True)
class Filters:
    """What a run must be to be shown.

    Attributes:
        name: A pattern for the experiment's name or the run's folder, such as `ablation_*`.
        task: The option chosen from group `task`.
        since: When it must have started: a date, a date with a time, or how long ago, such as `3d` or `12h`.
        where: Conditions on its settings, choices and metrics, as in `sweep.where`.
    """

    name: str | None = None
    task: str | None = None
    since: str | None = None
    where: Sequence[str] = ()

    def apply(self, runs: Sequence[Run]) -> list[Run]:
        """The runs that are shown.

        Raises:
            ConfigError: If a filter is not understood, or names a setting or task that no run has.
            UserError: If no run is left.
        """
        conditions = [Where(text, "--where") for text in self.where]
        values = [run.metrics | run.choices | run.settings for run in runs]
        for condition in conditions:
            condition.check_names(name for one in values for name in one)
        tasks = {run.choices.get("task", "") for run in runs}
        if self.task is not None and self.task not in tasks:
            known = f"; they are {', '.join(sorted(tasks))}"
            raise ConfigError([f"--task: no run has task={self.task}{did_you_mean(self.task, tasks) or known}"])
        earliest = None if self.since is None else started_after(self.since, time.time())
        kept = [
            run
            for run, known in zip(runs, values, strict=True)
            if (self.name is None or any(fnmatchcase(name, self.name) for name in (run.folder.name, known["name"])))
            and (self.task is None or run.choices.get("task") == self.task)
            and (earliest is None or run.status.get("started", 0.0) >= earliest)
            and all(condition.names <= known.keys() and condition(known) for condition in conditions)
        ]
        if not kept:
            raise UserError(f"none of the {len(runs)} runs is {self}")
        return kept

    def __str__(self) -> str:
        single = {"--name": self.name, "--task": self.task, "--since": self.since}
        given = [*((flag, value) for flag, value in single.items() if value is not None)]
        return " ".join(f"{flag} '{value}'" for flag, value in [*given, *(("--where", text) for text in self.where)])


def started_after(text: str, now: float) -> float:
    """The moment that `--since` names, in seconds since 1970.

    Args:
        text: A date, a date with a time (`2025-01-31 12:00`), or an age: a number with `m`, `h`, `d` or `w`.
        now: The present moment.

    Raises:
        ConfigError: If it is none of these.
    """
    if age := re.fullmatch(r"(\d{1,6})([mhdw])", text.strip()):
        return now - int(age[1]) * _SECONDS[age[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            [f"--since must be a date (2025-01-31), a date with a time, or an age such as 3d or 12h (got {text!r})"]
        ) from error
