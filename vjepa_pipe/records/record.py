"""Keeping the record of one run."""

from __future__ import annotations

import dataclasses
import itertools
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from vjepa_pipe.composition.identity import full_identity, identity
from vjepa_pipe.composition.snapshot import freeze
from vjepa_pipe.config.data_files import named_files
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.folders import RESOLVED_CONFIG, STEPS
from vjepa_pipe.config.image import image_experiment
from vjepa_pipe.files.whole_file import write_whole
from vjepa_pipe.records.environment import code, data_fingerprint, host, versions
from vjepa_pipe.records.files import read_record, write_json
from vjepa_pipe.records.origin import Origin
from vjepa_pipe.records.run_file import Repository, RunFile
from vjepa_pipe.records.status import DONE, FAILED, KILLED, PRUNED, STATUS, Heartbeat, Pruned, alone, state_of

ORIGIN = "origin.json"
RUN = "run.json"
DIFF = "uncommitted.diff"
METRICS = "metrics.json"
CLAIM = ".claimed"


class RunRecord:
    """A context that a run happens in: what it is made of is written first, how it ended last.

    A folder that holds a run of the same experiment is run in again, as a requeued job does; one that
    holds a run of another experiment that left more than its record, or in which another process runs, is refused.

    Args:
        folder: The run's folder; made if need be.
        experiment: What runs.
        origin: Where it came from.
        rank: Only rank 0 writes.
        command: The command line as it was typed; empty: `sys.argv`.

    Raises:
        UserError: If the folder cannot be written, belongs to another experiment or is in use.
    """

    def __init__(
        self, folder: Path, experiment: ExperimentConfig, origin: Origin, rank: int = 0, command: Sequence[str] = ()
    ) -> None:
        self._folder, self._experiment, self._origin = folder, experiment, origin
        self._writes = rank == 0
        self._command = list(command) or sys.argv

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
        config_id = full_identity(self._experiment)
        with alone(self._folder, f"another run is starting in {self._folder}: choose another hydra.run.dir"):
            if (self._folder / RUN).exists() and read_record(self._folder / RUN, RunFile).config_id != config_id:
                if not self._came_to_nothing():
                    raise UserError(f"{self._folder} holds a run of another experiment: choose another hydra.run.dir")
                for name in (DIFF, STEPS):
                    (self._folder / name).unlink(missing_ok=True)
            self._heartbeat = Heartbeat(self._folder)
        try:
            self._write_what_runs(config_id)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise

    def _came_to_nothing(self) -> bool:
        """Whether the run in this folder failed before it left anything but its record."""
        left = {file.name for file in self._folder.iterdir() if file.suffix != ".log"}
        return state_of(self._folder) == FAILED and left <= {
            RESOLVED_CONFIG,
            ORIGIN,
            RUN,
            DIFF,
            CLAIM,
            STATUS,
            STEPS,
            ".hydra",
        }

    def _write_what_runs(self, config_id: str) -> None:
        experiment, images = self._experiment, image_experiment(self._experiment)
        repositories, diff = code()
        run = RunFile(
            id=identity(experiment),
            config_id=config_id,
            name=experiment.name,
            seed=experiment.seed,
            started=time.strftime("%Y-%m-%d %H:%M:%S %z"),
            command=self._command,
            cwd=str(Path.cwd()),
            decoder=experiment.decoder._target_,
            versions=versions(),
            host=host(),
            data=data_fingerprint(named_files(experiment.data), experiment.storage),
            git={name: Repository(**state) for name, state in repositories.items()},
            images={} if images is None else data_fingerprint(named_files(images.data), experiment.storage),
        )
        write_whole(self._folder / RESOLVED_CONFIG, freeze(experiment))
        write_json(self._folder / ORIGIN, dataclasses.asdict(self._origin))
        if diff:
            write_whole(self._folder / DIFF, diff)
        write_json(self._folder / RUN, dataclasses.asdict(run))

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
            return
        with suppress(UserError):  # where this cannot be written either, the run's own error says more
            if isinstance(error, Exception):
                lines = "".join(traceback.format_exception(kind, error, trace))
                self._heartbeat.end(FAILED, error=f"{type(error).__name__}: {error}", traceback=lines)
            elif isinstance(error, Pruned):
                self._heartbeat.end(PRUNED)
            else:  # Ctrl-C, or sys.exit from a signal handler
                self._heartbeat.end(KILLED, error=type(error).__name__)


def claim_folder(folder: Path) -> Path:
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
