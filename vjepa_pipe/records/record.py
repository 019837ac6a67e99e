"""Keeping the record of one run."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.frozen import freeze
from vjepa_pipe.config.identity import full_identity, identity
from vjepa_pipe.records.environment import code, data_fingerprint, host, versions
from vjepa_pipe.records.files import read_mapping, write_json, write_whole
from vjepa_pipe.records.status import DONE, FAILED, KILLED, Heartbeat, read_status

RESOLVED_CONFIG = "resolved_config.yaml"
ORIGIN = "origin.json"
RUN = "run.json"
DIFF = "uncommitted.diff"
METRICS = "metrics.json"
CLAIM = ".claimed"


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where an experiment came from.

    Attributes:
        overrides: Of the command line, for this experiment.
        provenance: Where each setting came from.
        choices: The option chosen from each group.
        rerun_of: The folder of the run that is repeated.
    """

    overrides: list[str] = dataclasses.field(default_factory=list)
    choices: dict[str, str] = dataclasses.field(default_factory=dict)
    provenance: dict[str, str] = dataclasses.field(default_factory=dict)
    rerun_of: str | None = None


class RunRecord:
    """A context that a run happens in: what it is made of is written first, how it ended last.

    A folder that holds a run of the same experiment is run in again, as a requeued job does; one that
    holds a run of another experiment is refused.

    Args:
        folder: The run's folder; made if need be.
        experiment: What runs.
        origin: Where it came from.
        rank: Only rank 0 writes.

    Raises:
        UserError: If the folder cannot be written or belongs to another experiment.
    """

    def __init__(self, folder: Path, experiment: ExperimentConfig, origin: Origin, rank: int = 0) -> None:
        self._folder, self._experiment, self._origin = folder, experiment, origin
        self._writes = rank == 0

    def __enter__(self) -> RunRecord:
        if not self._writes:
            return self
        try:
            self._begin()
        except OSError as error:
            raise UserError(f"cannot write to the output folder {self._folder}: {error.strerror}") from error
        return self

    def _begin(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        content = self._content()
        earlier = read_mapping(self._folder / RUN) if (self._folder / RUN).exists() else content
        if earlier.get("config_id") != content["config_id"]:
            raise UserError(f"{self._folder} holds a run of another experiment: choose another hydra.run.dir")
        repositories, diff = code()
        write_whole(self._folder / RESOLVED_CONFIG, freeze(self._experiment))
        write_json(self._folder / ORIGIN, dataclasses.asdict(self._origin))
        if diff:
            write_whole(self._folder / DIFF, diff)
        write_json(self._folder / RUN, content | {"git": repositories})
        self._heartbeat = Heartbeat(self._folder, attempt=int(read_status(self._folder).get("attempt", 0)) + 1)

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Write what the task returned."""
        if self._writes:
            write_json(self._folder / METRICS, dict(metrics))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._writes:
            return
        if error is None:
            self._heartbeat.end(DONE)
        elif isinstance(error, Exception):
            lines = "".join(traceback.format_exception(kind, error, trace))
            self._heartbeat.end(FAILED, error=f"{type(error).__name__}: {error}", traceback=lines)
        else:  # Ctrl-C, or sys.exit from a signal handler
            self._heartbeat.end(KILLED, error=type(error).__name__)

    def _content(self) -> dict[str, Any]:
        experiment = self._experiment
        return {
            "id": identity(experiment),
            "config_id": full_identity(experiment),
            "name": experiment.name,
            "seed": experiment.seed,
            "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "command": sys.argv,
            "decoder": experiment.decoder._target_,
            "versions": versions(),
            "host": host(),
            "data": data_fingerprint(data_files(experiment)),
        }


def data_files(experiment: ExperimentConfig) -> list[str]:
    """The annotation files that an experiment names, whether they exist or not."""
    data = experiment.data
    return data.data_paths or [os.environ[name] for name in data.path_variables if os.environ.get(name)]


def unclaimed(folder: Path) -> Path:
    """A folder of this name that this process alone may use.

    Two equal experiments that are started in the same second are given the same name; the second one gets a number.

    Raises:
        UserError: If the folder cannot be made.
    """
    candidate = folder
    try:
        for number in itertools.count(2):
            candidate.mkdir(parents=True, exist_ok=True)
            try:
                (candidate / CLAIM).touch(exist_ok=False)
            except FileExistsError:
                candidate = folder.with_name(f"{folder.name}_{number}")
            else:
                break
    except OSError as error:
        raise UserError(f"cannot write to the output folder {candidate}: {error.strerror}") from error
    return candidate
