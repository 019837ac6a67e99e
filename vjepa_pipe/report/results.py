"""Runs side by side: which settings and metrics differ between them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from vjepa_pipe.records import Run
from vjepa_pipe.records.status import MISSING

ABSENT = "-"
"""Shown where a run does not have a setting at all."""


@dataclasses.dataclass
class Results:
    """Runs and what differs between them.

    Attributes:
        runs: In the order in which they are shown.
        choices: Groups from which not all runs chose the same option.
        varied: Settings that are not the same in all runs; where choices differ, only those given
            on the command line.
        metrics: Names of the metrics that are not the same in all runs that have metrics.
        same: The others, of two runs or more.
    """

    runs: Sequence[Run]

    def __post_init__(self) -> None:
        self.choices = varied_settings([run.choices for run in self.runs])
        self.varied = varied_settings([run.settings for run in self.runs])
        if self.choices:  # an option sets much at once: its name says more than all that
            given = set().union(*(run.overridden for run in self.runs))
            self.varied = [key for key in self.varied if key in given]
        self.metrics: list[str] = []
        self.same: dict[str, Any] = {}
        # By what is shown: sums of the same values in another order differ in their last bit.
        done = [run.metrics for run in self.runs if run.metrics]
        for name in dict.fromkeys(name for metrics in done for name in metrics):
            shown = {text(metrics.get(name, ABSENT)) for metrics in done}
            if len(done) > 1 and len(shown) == 1:
                self.same[name] = done[0][name]
            else:
                self.metrics.append(name)

    @property
    def titles(self) -> list[str]:
        """Groups and settings that vary, in the order of a row's `settings`."""
        return [*self.choices, *self.varied]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each run: its name, state, varied settings and metrics, and what went wrong."""
        return [
            {
                "run": run.folder.name,
                "state": run.status.get("state", MISSING),
                "settings": [
                    *(run.choices.get(key, ABSENT) for key in self.choices),
                    *(run.settings.get(key, ABSENT) for key in self.varied),
                ],
                "metrics": [run.metrics.get(name) for name in self.metrics],
                "error": run.status.get("error", ""),
            }
            for run in self.runs
        ]


def varied_settings(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that are not the same everywhere, in their order."""
    keys = dict.fromkeys(key for one in settings for key in one)
    return [key for key in keys if len({repr(one.get(key, ABSENT)) for one in settings}) > 1]


def short_names(keys: Sequence[str]) -> list[str]:
    """The last part of each dotted key, or all of it where two keys end alike; keys of images begin with `image.`."""
    short = [f"{'image.' * ('image.' in key)}{key.rpartition('.')[2]}" for key in keys]
    return [name if short.count(name) == 1 else key for key, name in zip(keys, short, strict=True)]


def text(value: Any) -> str:
    """A setting or a metric as people read it; a number that is none is shown as what it is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"
    return str(value)
