"""Runs of a sweep that never ran: settings in a grid, metrics by a formula."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vjepa_pipe.records import Run

TARGET = "vjepa_pipe.tasks.probe.probe"


def grid(settings: Mapping[str, Sequence[Any]], metrics: Callable[..., Mapping[str, float]]) -> list[Run]:
    """A run for each point of a grid.

    Args:
        settings: The values of each; a dot in a name is a `_` for `metrics`.
        metrics: Given each setting by name, what the run measured.
    """
    runs = []
    for number, values in enumerate(itertools.product(*settings.values())):
        point = dict(zip(settings, values, strict=True))
        measured = metrics(**{name.replace(".", "_"): value for name, value in point.items()})
        known = point | {"task._target_": TARGET}
        runs.append(Run(Path(f"sweep/{number:03d}_abcdef01"), known, {}, set(point), {"state": "done"}, dict(measured)))
    return runs
