"""Reading what runs left."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.frozen import leaves, plain, thaw
from vjepa_pipe.records.files import read_json
from vjepa_pipe.records.record import METRICS, RESOLVED_CONFIG
from vjepa_pipe.records.status import read_status


@dataclasses.dataclass
class Run:
    """One run, or one point of a sweep that has not run yet.

    Attributes:
        folder: Where it is.
        settings: Every setting by dotted path.
        status: The content of `status.json`; empty if it has not started.
        metrics: What its task returned.
    """

    folder: Path
    settings: dict[str, Any]
    status: dict[str, Any] = dataclasses.field(default_factory=dict)
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)


def read_run(folder: Path, config: Path | None = None) -> Run:
    """The run in a folder.

    Args:
        folder: The run's folder.
        config: Its resolved config, where it is kept elsewhere, as a sweep's plan does.

    Raises:
        UserError: If the folder holds no run, or a file of it cannot be read.
    """
    experiment = thaw(config or folder / RESOLVED_CONFIG)
    metrics = read_json(folder / METRICS) if (folder / METRICS).exists() else {}
    return Run(folder, dict(leaves(plain(experiment))), read_status(folder), metrics)


def find_runs(folder: Path) -> list[Run]:
    """Every run at or below a folder, in the order of their names.

    Raises:
        UserError: If there is none, or one cannot be read.
    """
    files = sorted(folder.rglob(RESOLVED_CONFIG)) if folder.is_dir() else []
    if not files:
        raise UserError(f"{folder} holds no run: there is no {RESOLVED_CONFIG} in it or below it")
    return [read_run(file.parent) for file in files]
