"""Running an experiment's task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from vjepa_pipe.composition.typed import untyped_faults
from vjepa_pipe.config.before_run import run_faults
from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.protocols import task_fault
from vjepa_pipe.config.targets import locate
from vjepa_pipe.records import Origin, RunRecord
from vjepa_pipe.records.curves import last_values, read_curves
from vjepa_pipe.records.record import METRICS
from vjepa_pipe.tasks.stopping import NEWEST, STATE


def run_task(
    experiment: ExperimentConfig,
    output_dir: Path,
    origin: Origin | None = None,
    typed: Sequence[str] = (),
    command: Sequence[str] = (),
) -> dict[str, Any]:
    """Run an experiment's task and keep the record of it.

    Args:
        experiment: A checked experiment.
        output_dir: Where the task leaves its files, and the record is kept.
        origin: Where the experiment came from.
        typed: The overrides that the user has typed for this run; those of a record or a plan are not.
        command: The command line as it was typed, for the record; empty: `sys.argv`.

    Returns:
        The task's metrics: names to numbers, text or booleans. Of a task that returns none, the last values of its
        `metrics.jsonl`.

    Raises:
        ConfigError: If a setting that must be typed comes from elsewhere, or the run is bound to fail.
        UserError: If the folder cannot be written, or as the task does.
    """
    from vjepa_pipe.sampling import rank_and_world

    if faults := [*untyped_faults(experiment, typed), *run_faults(experiment, typed)]:
        raise ConfigError(faults)
    task = locate(experiment.task._target_, "task._target_")
    if fault := task_fault(task, experiment.task._target_):
        raise ConfigError([fault])

    with RunRecord(output_dir, experiment, origin or Origin(), rank_and_world()[0], command) as record:
        metrics = task(_resume_if_interrupted(experiment, output_dir), output_dir)
        metrics = last_values(read_curves(output_dir)) if metrics is None else metrics
        if not isinstance(metrics, Mapping):
            raise UserError(f"{experiment.task._target_} returned {type(metrics).__name__}, not a dict of metrics")
        metrics = {str(name): _plain(value) for name, value in metrics.items()}
        record.finish(metrics)
    return metrics


def _plain(value: Any) -> Any:
    """A metric as Python's own number, if it is one of NumPy's or a tensor of one."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _resume_if_interrupted(experiment: ExperimentConfig, output_dir: Path) -> ExperimentConfig:
    """The experiment, going on from the place that an attempt before it left in this folder, as a requeued job must.

    What is asked of the folder does not change while ranks start, so that all of them decide alike.
    """
    task: Any = experiment.task
    places = [place for name in (STATE, NEWEST) if (place := output_dir / name).exists()]
    if not places or (output_dir / METRICS).exists() or getattr(task, "resume", "") is not None:
        return experiment
    message = f"an earlier attempt was cut short: going on from {places[0]}"
    Console(stderr=True, soft_wrap=True).print(message, highlight=False, markup=False)
    return replace(experiment, task=replace(task, resume=str(output_dir)))
