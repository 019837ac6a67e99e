"""Trackers: each is handed a run's config, identity and git state when it begins, and its metrics as they come."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from vjepa_pipe.composition.snapshot import plain
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.config.instantiate import instantiate
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.config.urls import shown_path
from vjepa_pipe.loader.state import hash_of
from vjepa_pipe.records.files import read_record
from vjepa_pipe.records.record import RUN
from vjepa_pipe.records.run_file import RunFile


class Tracker(Protocol):
    """What is made of the class at `tracker._target_`, in rank 0, with its own settings and a `TrackedRun` as `run`."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Take the metrics of a step."""

    def close(self) -> None:
        """Keep everything; the run has ended."""


@dataclasses.dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run.

    Attributes:
        name: Of the experiment.
        id: The same when the run goes on in its folder, another for every other run.
        folder: Of the run.
        config: Every setting, by dotted name.
        facts: Hash of the settings (`identity`), and for each checkout `git.NAME.commit`, `git.NAME.branch` and the
            number of `git.NAME.uncommitted` files.
    """

    name: str
    id: str
    folder: Path
    config: dict[str, Any]
    facts: dict[str, str]


def open_tracker(experiment: ExperimentConfig, output_dir: Path | None) -> Tracker:
    """The tracker of an experiment; one that stops working is left out, with a warning, and the run goes on.

    Args:
        experiment: What runs.
        output_dir: Its folder, with its record; None: this rank has no tracker.

    Raises:
        UserError: If its package is missing, or it does not begin.
    """
    if output_dir is None:
        return NoTracker()
    try:
        return _Tried(instantiate(experiment.tracker, "tracker", run=_tracked(experiment, output_dir)))
    except UserError:
        raise
    except Exception as error:  # a tracker can fail in any way: no network, no login, a database of another version
        raise UserError(f"tracker={experiment.tracker._target_} does not begin: {error}") from error


def _tracked(experiment: ExperimentConfig, output_dir: Path) -> TrackedRun:
    record = read_record(output_dir / RUN, RunFile)
    facts = {"identity": record.id}
    for name, state in record.git.items():
        facts[f"git.{name}.commit"] = str(state.commit)
        facts[f"git.{name}.branch"] = str(state.branch)
        facts[f"git.{name}.uncommitted"] = str(len(state.uncommitted))
    run_id = hash_of(str(output_dir.resolve()), record.config_id)
    config = {name: _shown(value) for name, value in leaves(plain(experiment))}
    return TrackedRun(experiment.name, run_id, output_dir, config, facts)


def _shown(value: Any) -> Any:
    """A setting without what is secret in a URL."""
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return shown_path(value) if isinstance(value, str) else value


class NoTracker:
    """Takes everything and keeps nothing."""

    def log(self, values: Mapping[str, float], step: int) -> None: ...

    def close(self) -> None: ...


class TensorboardTracker:
    """Event files in `tensorboard/` of the run's folder."""

    def __init__(self, run: TrackedRun) -> None:
        import_extra("tensorboard", "tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(run.folder / "tensorboard"))
        rows = "".join(f"| `{name}` | {value} |\n" for name, value in (run.facts | run.config).items())
        self._writer.add_text("run", f"{run.name}\n\n| setting | value |\n|---|---|\n{rows}", 0)

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WandbTracker:
    """A run of Weights & Biases."""

    def __init__(self, run: TrackedRun, project: str, entity: str | None, mode: str) -> None:
        self._run = import_extra("wandb", "wandb").init(
            project=project, entity=entity, mode=mode, name=run.name, id=run.id, resume="allow", dir=str(run.folder),
            config=run.config | run.facts,
        )  # fmt: skip

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


class TrackioTracker:
    """A run of trackio."""

    def __init__(self, run: TrackedRun, project: str) -> None:
        self._module = import_extra("trackio", "trackio")
        name = f"{run.name}-{run.id}"
        self._module.init(project=project, name=name, resume="allow", config=run.config | run.facts)

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._module.log(dict(values), step=step)

    def close(self) -> None:
        self._module.finish()


class MlflowTracker:
    """A run of MLflow; one that has the tag of this run is gone on with."""

    TAG = "vjepa_pipe.run"

    def __init__(self, run: TrackedRun, tracking_uri: str | None, experiment: str) -> None:
        self._mlflow = import_extra("mlflow", "mlflow")
        if tracking_uri is not None:
            self._mlflow.set_tracking_uri(tracking_uri)
        where = self._mlflow.set_experiment(experiment).experiment_id
        client = self._mlflow.MlflowClient()
        earlier = client.search_runs([where], f"tags.`{self.TAG}` = '{run.id}'", max_results=1)
        self._mlflow.start_run(
            run_id=earlier[0].info.run_id if earlier else None, run_name=run.name, tags={self.TAG: run.id, **run.facts}
        )
        if not earlier:
            self._mlflow.log_params({name: str(value)[:500] for name, value in run.config.items()})

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._mlflow.log_metrics(dict(values), step=step)

    def close(self) -> None:
        self._mlflow.end_run()


class _Tried:
    """A tracker whose faults end it, not the run."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._or_none(lambda: self._tracker.log(values, step))

    def close(self) -> None:
        self._or_none(self._tracker.close)

    def _or_none(self, call: Any) -> None:
        try:
            call()
        except Exception as error:  # as in `open_tracker`: the training is worth more than what tracks it
            name = type(self._tracker).__name__
            message = f"{name} is left out from here on, metrics.jsonl goes on: {type(error).__name__}: {error}"
            Console(stderr=True, soft_wrap=True).print(message, markup=False, highlight=False)
            self._tracker = NoTracker()
