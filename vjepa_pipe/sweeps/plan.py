"""A sweep's plan: every point composed and checked once, written down, and run from what was written.

<sweep>/plan/plan.json             what was asked for, and the points in order
<sweep>/plan/points/<id>.yaml      a point's resolved experiment
<sweep>/plan/points/<id>.json      what it was composed from
<sweep>/000_<short id>/            a point's run
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from vjepa_pipe.composition.composer import Composer
from vjepa_pipe.composition.identity import SHORT, full_identity
from vjepa_pipe.composition.snapshot import freeze, plain
from vjepa_pipe.config.before_run import draws_batches, run_faults
from vjepa_pipe.config.data import CsvDataConfig, DataConfig, FolderDataConfig
from vjepa_pipe.config.data_files import named_files
from vjepa_pipe.config.epoch import epoch_faults
from vjepa_pipe.config.errors import ConfigError, UserError, counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.records import Origin
from vjepa_pipe.records.origin import origin_of
from vjepa_pipe.records.plan import PLAN, PLAN_FILE, POINTS, PlanFile, Point, read_plan_file
from vjepa_pipe.records.where import Where
from vjepa_pipe.report.metric import SWEEP, Asked

MAX_FAULTY_POINTS = 20


@dataclasses.dataclass
class Plan:
    """A sweep's points.

    Attributes:
        arguments: What was asked for on the command line.
        points: In the order in which they are run.
        asked: What they are ranked by.
        experiments: Of each point, and where it came from; only of a plan that was just made.
    """

    arguments: list[str]
    points: list[Point]
    asked: Asked
    experiments: list[tuple[ExperimentConfig, Origin]] = dataclasses.field(default_factory=list)


def make_plan(
    arguments: Sequence[str],
    point_overrides: Sequence[Sequence[str]],
    where: str | None,
    composer: Composer,
    asked: Asked,
) -> Plan:
    """Compose and check every point.

    Points that come out the same are kept once; those for which `where` does not hold are left out.

    Raises:
        ConfigError: Naming every faulty point and field, or if no point is left, or nothing tells whether the metric
            that they are ranked by should be low or high.
    """
    condition = Where(where) if where is not None else None
    plan = Plan(list(arguments), [], asked)
    seen: set[str] = set()
    faults: list[str] = []
    faulty = 0
    for number, overrides in enumerate(point_overrides):
        found = _faults_or_point(overrides, composer)
        if isinstance(found, list):
            faults.extend(f"point {number} ({' '.join(overrides)}): {fault}" for fault in found)
            faulty += 1
            if faulty == MAX_FAULTY_POINTS:
                faults.append(f"points after {number} were not checked")
                break
            continue
        experiment, origin = found
        asked.before_runs(experiment.task._target_)
        point_id = full_identity(experiment)
        if point_id in seen or (condition and not condition(dict(leaves(plain(experiment))))):
            continue
        seen.add(point_id)
        plan.points.append(Point(point_id, list(overrides), f"{len(plan.points):03d}_{point_id[:SHORT]}"))
        plan.experiments.append((experiment, origin))
    if faults:
        raise ConfigError(faults)
    if not plan.points:
        raise ConfigError([f"sweep.where={where} leaves none of {counted(len(point_overrides), 'point')}"])
    return plan


def _faults_or_point(overrides: Sequence[str], composer: Composer) -> list[str] | tuple[ExperimentConfig, Origin]:
    try:
        composed = composer.compose(overrides).checked()
    except ConfigError as error:
        return list(error.faults)
    faults = [*run_faults(composed.experiment, overrides), *_epoch_faults(composed.experiment)]
    origin = origin_of(overrides, composed.folders, composed.choices, composed.provenance)
    return faults or (composed.experiment, origin)


def _epoch_faults(experiment: ExperimentConfig) -> Iterator[str]:
    """A line if an epoch of the listed rows holds no batch; files that are not on this machine are not asked."""
    files = [Path(path).expanduser() for path in named_files(experiment.data)]
    lists = type(experiment.data) in (DataConfig, CsvDataConfig, FolderDataConfig) and draws_batches(experiment)
    if files and lists and all(file.exists() for file in files):
        data = experiment.data if isinstance(experiment.data, FolderDataConfig) else FolderDataConfig(labels="folders")
        try:
            rows = sum(_count_rows(file, file.stat().st_mtime_ns, data.glob, data.labels) for file in files)
        except UserError as error:
            yield str(error)
        else:
            yield from epoch_faults(experiment, rows)


@lru_cache(maxsize=1024)
def _count_rows(file: Path, changed: int, glob: str, labels: str) -> int:  # noqa: ARG001  a changed one is counted again
    from vjepa_pipe.sources import read_rows  # planning needs it only for data on this machine

    return len(read_rows(file, glob=glob, labels=labels))


def claim_sweep_folder(folder: Path, named_by_user: bool) -> Path:
    """A folder that belongs to this sweep alone, made here.

    Args:
        folder: Where it should be; where it exists, a number is appended.
        named_by_user: A folder that was asked for by name is used or refused, never renamed.

    Raises:
        UserError: If it cannot be made, or was asked for and holds a sweep.
    """
    candidate = folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for number in range(2, 10_000):
            try:
                candidate.mkdir()
            except FileExistsError:
                if named_by_user and candidate.is_dir() and not (candidate / PLAN).exists():
                    return candidate
                if named_by_user or not candidate.is_dir():
                    raise
                candidate = folder.with_name(f"{folder.name}_{number}")
            else:
                return candidate
    except FileExistsError as error:
        if (candidate / PLAN).exists():
            raise UserError(f"{candidate} holds a sweep: continue it with sweep.resume={candidate}") from error
        raise UserError(f"cannot make the sweep's folder {candidate}: it is a file") from error
    except OSError as error:
        raise UserError(f"cannot make the sweep's folder {candidate}: {error.strerror}") from error
    raise UserError(f"cannot make the sweep's folder {folder}: ten thousand of that name exist")


def write_plan(plan: Plan, sweep_dir: Path) -> None:
    """Write the plan; it is there whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    unfinished = sweep_dir / f".{PLAN}.{os.getpid()}"
    try:
        (unfinished / POINTS).mkdir(parents=True)
        for point, (experiment, origin) in zip(plan.points, plan.experiments, strict=True):
            (unfinished / POINTS / f"{point.id}.yaml").write_text(freeze(experiment))
            (unfinished / POINTS / f"{point.id}.json").write_text(
                json.dumps(dataclasses.asdict(origin), indent=1) + "\n"
            )
        created = time.strftime("%Y-%m-%d %H:%M:%S %z")
        content = PlanFile(plan.arguments, created, plan.points, plan.asked.metric, plan.asked.direction)
        (unfinished / PLAN_FILE).write_text(json.dumps(dataclasses.asdict(content), indent=1) + "\n")
        unfinished.rename(sweep_dir / PLAN)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise UserError(f"cannot write the plan in {sweep_dir}: {error.strerror}") from error


def read_plan(sweep_dir: Path) -> Plan:
    """The plan of a sweep.

    Raises:
        UserError: If the folder holds no sweep, or the plan cannot be read.
    """
    written = read_plan_file(sweep_dir)
    return Plan(written.arguments, written.points, Asked(written.metric, written.direction, SWEEP))
