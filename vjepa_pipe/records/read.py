"""Reading what runs left."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from vjepa_pipe.composition.provenance import COMMAND_LINE
from vjepa_pipe.composition.snapshot import plain, thaw
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.folders import RESOLVED_CONFIG
from vjepa_pipe.config.task import StreamTaskConfig
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.records.figures import read_figures
from vjepa_pipe.records.files import read_mapping, read_record
from vjepa_pipe.records.origin import Origin
from vjepa_pipe.records.record import METRICS, ORIGIN
from vjepa_pipe.records.status import DONE, read_status


@dataclasses.dataclass
class Run:
    """One run, or one point of a sweep that has not run yet.

    Attributes:
        folder: Where it is.
        settings: Every setting by dotted path.
        choices: The option chosen from each group.
        overridden: Settings that were given on the command line.
        status: The content of `status.json`; empty if it has not started.
        metrics: What its task returned, and the mean of each figure of the clips that it streamed.
    """

    folder: Path
    settings: dict[str, Any]
    choices: dict[str, str]
    overridden: set[str]
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
    origin = read_origin(config.with_suffix(".json") if config is not None else folder / ORIGIN)
    run = run_from(folder, experiment, origin)
    run.status = read_status(folder)
    if run.status.get("state") == DONE and (folder / METRICS).exists():  # else they are of an earlier attempt
        run.metrics = read_mapping(folder / METRICS) | (read_figures(folder) if _streams(run) else {})
    return run


def _streams(run: Run) -> bool:
    """Whether the run's summary is ours; a trainer of the user's may leave another of that name."""
    return bool(run.settings.get("task._target_") == StreamTaskConfig()._target_)


def run_from(folder: Path, experiment: ExperimentConfig, origin: Origin) -> Run:
    """A run that has not started."""
    given = {key for key, source in origin.provenance.items() if source.startswith(COMMAND_LINE)}
    return Run(folder, dict(leaves(plain(experiment))), origin.choices, given)


def read_origin(file: Path) -> Origin:
    """What an experiment was composed from.

    Raises:
        UserError: If the file cannot be read or says something else.
    """
    return read_record(file, Origin)


def find_runs(folder: Path) -> list[Path]:
    """The folder of every run at or below a folder, in the order of their names.

    Raises:
        UserError: If there is none.
    """
    files = sorted(folder.rglob(RESOLVED_CONFIG)) if folder.is_dir() else []
    if not files:
        raise UserError(f"{folder} holds no run: there is no {RESOLVED_CONFIG} in it or below it")
    return [file.parent for file in files]
