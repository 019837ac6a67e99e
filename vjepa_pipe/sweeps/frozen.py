"""Running points from the plan, under any of Hydra's launchers.

A launcher asks Hydra's config loader for each job's config, in the job's own process and possibly days later.
`PlannedPoints` stands in for that loader and answers from the plan, so that what is edited in the meantime
changes nothing. Only the overrides travel with a job; the last of them names the point.
"""

from __future__ import annotations

import copy
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from vjepa_pipe.composition.snapshot import thaw
from vjepa_pipe.config.targets import allow_targets, allowed_by_user
from vjepa_pipe.records import read_origin
from vjepa_pipe.records.plan import PLAN, POINTS, STOPPED_POINTS, Point
from vjepa_pipe.records.status import Pruned
from vjepa_pipe.sweeps.polling import polling

STOPPED = "stopped"
_MARK = "hydra.point="


def job_overrides(point: Point) -> list[str]:
    """What a launcher is handed for a point. It shows all but what starts with `hydra.`."""
    return [*point.overrides, f"{_MARK}{point.folder}"]


class PlannedPoints:
    """In place of Hydra's config loader, for launchers.

    Args:
        sweep_dir: The sweep's folder.
        points: Its points.
        fail_fast: Whether points start after one has failed.
        typed: The overrides of this command line.
        command: All of it, as it was typed.
    """

    def __init__(
        self, sweep_dir: Path, points: Sequence[Point], fail_fast: bool, typed: Sequence[str], command: Sequence[str]
    ) -> None:
        self._sweep_dir = str(sweep_dir)
        self._points = {point.folder: point for point in points}
        self._fail_fast = fail_fast
        self._typed, self._command = list(typed), list(command)
        self._allowed = allowed_by_user()  # a job's process has no command line to take it from

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """The config of one job: Hydra's own settings, and where its point is."""
        point = self._points[sweep_overrides[-1].removeprefix(_MARK)]
        hydra_settings = copy.deepcopy(master_config._get_node("hydra"))
        config = OmegaConf.create(
            {
                "sweep_dir": self._sweep_dir,
                "folder": point.folder,
                "id": point.id,
                "overrides": point.overrides,
                "fail_fast": self._fail_fast,
                "typed": self._typed,
                "command": self._command,
                "allowed": self._allowed,
            }
        )
        with open_dict(config):
            config.hydra = hydra_settings
        OmegaConf.set_readonly(config.hydra, False)  # Hydra 1.4 hands its own over read-only; launchers write to it
        config.hydra.sweep.subdir = point.folder
        config.hydra.overrides.task = list(point.overrides)
        return config


def run_point(config: DictConfig) -> dict[str, Any]:
    """One job of a sweep: the function that launchers call.

    With `fail_fast`, a point that fails leaves a mark in the plan, and points that find it do not start.
    """
    from vjepa_pipe.tasks import run_task

    job: Any = OmegaConf.to_container(config, resolve=False)  # what was typed may hold interpolations
    sweep_dir = Path(job["sweep_dir"])
    stopped = sweep_dir / PLAN / STOPPED
    if job["fail_fast"] and stopped.exists():
        return {}
    written = sweep_dir / PLAN / POINTS / job["id"]
    behind = sweep_dir / PLAN / STOPPED_POINTS / job["id"]
    if behind.exists():
        return {}
    allow_targets(*job["allowed"])
    origin = read_origin(written.with_suffix(".json"))
    experiment, folder = thaw(written.with_suffix(".yaml")), sweep_dir / job["folder"]
    metrics: dict[str, Any] = {}
    try:
        with suppress(Pruned), stopped_by(behind):
            metrics = run_task(experiment, folder, origin, job["typed"], job["command"])
    except Exception:
        if job["fail_fast"]:
            stopped.touch()
        raise
    return metrics


@contextmanager
def stopped_by(file: Path) -> Iterator[None]:
    """Raise `Pruned` in the main thread, and so within this context, once a file is there.

    Nothing is done in other threads, where there are no signals of this kind, and outside a search that prunes.
    """
    number = getattr(signal, "SIGUSR1", None)
    if number is None or not file.parent.exists() or threading.current_thread() is not threading.main_thread():
        yield
        return
    runner = threading.get_ident()

    def look() -> bool:
        if found := file.exists():
            signal.pthread_kill(runner, number)
        return found

    def stop(*_: Any) -> None:
        raise Pruned

    before = signal.signal(number, stop)
    try:
        with polling(look, "pruning"):
            yield
    finally:
        signal.signal(number, before)
