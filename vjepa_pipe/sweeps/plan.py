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
from vjepa_pipe.config.sweep import SweepConfig
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.files.whole_file import write_whole
from vjepa_pipe.records import Origin
from vjepa_pipe.records.origin import origin_of
from vjepa_pipe.records.plan import PLAN, PLAN_FILE, POINTS, PlanFile, Point
from vjepa_pipe.records.where import Where
from vjepa_pipe.report.metric import asked_in

MAX_FAULTY_POINTS = 20


@dataclasses.dataclass(frozen=True)
class Planned:
    """A point with what was composed for it.

    Attributes:
        point: As it stands in the plan.
        experiment: Checked.
        origin: Where it came from.
    """

    point: Point
    experiment: ExperimentConfig
    origin: Origin


def new_plan(arguments: Sequence[str], options: SweepConfig) -> PlanFile:
    """A plan without points."""
    created = time.strftime("%Y-%m-%d %H:%M:%S %z")
    asked = {name: getattr(options, name) for name in ("metric", "direction", "search", "samples", "prune", "seed")}
    return PlanFile(list(arguments), created, [], **asked)


def plan_points(
    plan: PlanFile, point_overrides: Sequence[Sequence[str]], where: str | None, composer: Composer
) -> list[Planned]:
    """Compose and check points, and add those to the plan that it does not have.

    Points that come out the same are one; those for which `where` does not hold are left out.

    Raises:
        ConfigError: Naming every faulty point and field, or if no point is left, or nothing tells whether the metric
            that they are ranked by should be low or high.
    """
    condition = Where(where) if where is not None else None
    known = {point.id: point for point in plan.points}
    planned: dict[str, Planned] = {}
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
        asked_in(plan).before_runs(experiment.task._target_)
        point_id = full_identity(experiment)
        if point_id in planned or (condition and not condition(dict(leaves(plain(experiment))))):
            continue
        point = known.get(point_id)
        if point is None:
            point = Point(point_id, list(overrides), f"{len(plan.points):03d}_{point_id[:SHORT]}")
            plan.points.append(point)
        planned[point_id] = Planned(point, experiment, origin)
    if faults:
        raise ConfigError(faults)
    if not planned:
        raise ConfigError([f"sweep.where={where} leaves none of {counted(len(point_overrides), 'point')}"])
    return list(planned.values())


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


def write_plan(plan: PlanFile, planned: Sequence[Planned], sweep_dir: Path) -> None:
    """Write a plan; it is there whole or not at all.

    Args:
        plan: The plan.
        planned: Its points.
        sweep_dir: The sweep's folder.

    Raises:
        UserError: If it cannot be written.
    """
    unfinished = sweep_dir / f".{PLAN}.{os.getpid()}"
    try:
        (unfinished / POINTS).mkdir(parents=True)
        extend_plan(plan, planned, unfinished)
        unfinished.rename(sweep_dir / PLAN)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise UserError(f"cannot write the plan in {sweep_dir}: {error.strerror}") from error


def extend_plan(plan: PlanFile, planned: Sequence[Planned], folder: Path) -> None:
    """Write points that were added to a plan, then the plan that names them.

    Args:
        plan: The plan.
        planned: The points that were added.
        folder: Of the plan.

    Raises:
        OSError: If a point cannot be written.
        UserError: If the plan cannot be written.
    """
    for one in planned:
        (folder / POINTS / f"{one.point.id}.yaml").write_text(freeze(one.experiment))
        origin = json.dumps(dataclasses.asdict(one.origin), indent=1)
        (folder / POINTS / f"{one.point.id}.json").write_text(origin + "\n")
    write_whole(folder / PLAN_FILE, json.dumps(dataclasses.asdict(plan), indent=1) + "\n")
