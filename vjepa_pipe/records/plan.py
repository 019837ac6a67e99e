"""Reading a sweep's plan, which may come from someone else: what it names must be in the sweep's folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.records.files import inside, read_record

PLAN = "plan"
PLAN_FILE = "plan.json"
POINTS = "points"
STUDY = "study.log"
STOPPED_POINTS = "pruned"


@dataclasses.dataclass(frozen=True)
class Point:
    """One point.

    Attributes:
        id: Hash of all its settings.
        overrides: What makes it differ from the experiment that is swept.
        folder: Name of its run's folder within the sweep's.
    """

    id: str
    overrides: list[str]
    folder: str


@dataclasses.dataclass(frozen=True)
class PlanFile:
    """What stands in `plan.json`.

    Attributes:
        arguments: Of the command line.
        created: When it was written.
        points: In order.
        metric: What they are ranked by; None: the metric of their task.
        direction: `minimize` or `maximize`; None: as the metric's name tells.
        search: How Optuna chooses further points; None: these are all.
        samples: How many trials it makes; None: all of a grid.
        prune: Whether trials are stopped that fall behind.
        seed: Of its choices.
    """

    arguments: list[str]
    created: str
    points: list[Point]
    metric: str | None = None
    direction: str | None = None
    search: str | None = None
    samples: int | None = None
    prune: bool = False
    seed: int = 0


def read_plan_file(sweep_dir: Path) -> PlanFile:
    """The plan of a sweep.

    Raises:
        UserError: If the folder holds no sweep, the plan is damaged, or it names something outside the folder.
    """
    file = sweep_dir / PLAN / PLAN_FILE
    if not file.is_file():
        raise UserError(f"{sweep_dir} is not the folder of a sweep: there is no {PLAN}/{PLAN_FILE} in it")
    plan = read_record(file, PlanFile)
    for point in plan.points:
        inside(sweep_dir, point.folder)
        inside(sweep_dir / PLAN / POINTS, f"{point.id}.yaml")
    return plan
