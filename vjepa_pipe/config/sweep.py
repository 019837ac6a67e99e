"""What a sweep may say: `sweep.*` on the command line with `-m`, `hydra.sweeper.*` in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from vjepa_pipe.config.fields import setting

SAMPLERS = ("random", "sobol", "latin_hypercube")
SEARCHES = ("tpe", "random", "grid", "cmaes")
DIRECTIONS = MINIMIZE, MAXIMIZE = ("minimize", "maximize")

TARGET = "hydra_plugins.vjepa_pipe_sweeper.VjepaPipeSweeper"


@dataclass
class SweepConfig:
    """Which points are run, and what becomes of those that fail."""

    zip: list[Any] = setting([], "swept settings that advance together, such as [data.img_size,data.batch_size]")
    points: Any = setting(None, "points in so many words: a list of mappings, or a YAML file that holds one")
    where: Optional[str] = setting(
        None, "keep only points where this holds, such as 'data.frames_per_clip / data.target_fps <= 4'"
    )
    samples: Optional[int] = setting(
        None, "points drawn from the settings given as interval(low,high)", ge=1, le=100_000
    )
    sampler: str = setting("sobol", "how they are drawn", choices=SAMPLERS)
    search: Optional[str] = setting(
        None, "Optuna chooses each point by the results of those before, `samples` of them", choices=SEARCHES
    )
    prune: bool = setting(
        False, "stop trials of a search that fall behind the others by their metrics.jsonl (asynchronous halving, ASHA)"
    )
    seed: int = setting(0, "of the drawn points", ge=0, lt=2**31)
    dry_run: bool = setting(False, "print the plan and stop")
    resume: Optional[str] = setting(None, "folder of a sweep: run what is missing, failed or killed", path=True)
    metric: Optional[str] = setting(
        None, "metric that points are ranked by; unset: that of the task, such as top1 of task=probe"
    )
    direction: Optional[str] = setting(
        None, "whether it should be low or high; unset: as its name tells", choices=DIRECTIONS
    )
    fail_fast: bool = setting(False, "start no further point once one has failed")
    params: Optional[dict[str, Any]] = setting(None, "overrides with their swept values, for files")
    max_batch_size: Optional[int] = setting(None, "points handed to the launcher at once; unset: all", ge=1, le=100_000)
    _target_: str = setting(TARGET, "the sweeper")
