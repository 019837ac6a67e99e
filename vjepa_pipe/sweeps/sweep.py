"""One sweep, from its arguments to its report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from rich.console import Console

from vjepa_pipe.composition.composer import Composer
from vjepa_pipe.config.errors import ConfigError, UserError, counted
from vjepa_pipe.config.program import program
from vjepa_pipe.config.sweep import SweepConfig
from vjepa_pipe.records import Run, run_from
from vjepa_pipe.records.plan import PLAN, Point
from vjepa_pipe.records.status import DONE, MISSING, RUNNING, read_status, state_of
from vjepa_pipe.report import Asked, Results, print_plan, print_results, report_runs, runs_in
from vjepa_pipe.report.metric import SWEEP
from vjepa_pipe.sweeps.axes import expand
from vjepa_pipe.sweeps.frozen import STOPPED, PlannedPoints, job_overrides, run_point
from vjepa_pipe.sweeps.plan import Plan, claim_sweep_folder, make_plan, read_plan, write_plan

MAX_LISTED = 20
HYDRAS_SUBDIR = "${hydra.job.num}"
"""What `hydra.sweep.subdir` is where nobody has set it."""


class Sweep:
    """Plans, runs and reports.

    Args:
        options: Which points, and what becomes of those that fail.
        context: Hydra's loader and callbacks.
        config: The composed config, with Hydra's own settings.
        command: The command line as it was typed.
    """

    def __init__(
        self, options: SweepConfig, context: HydraContext, config: DictConfig, command: Sequence[str] = ()
    ) -> None:
        self._options, self._context, self._config = options, context, config
        self._command = list(command)
        self._asked = Asked(options.metric, options.direction, SWEEP)
        self._console = Console(stderr=True)

    def run(self, arguments: list[str]) -> None:
        """Run every point that is not done, after a plan of its own or an earlier sweep's."""
        folders: Any = OmegaConf.to_container(self._config.hydra.sweep, resolve=False)
        if folders["subdir"] != HYDRAS_SUBDIR:
            raise ConfigError(
                [f"hydra.sweep.subdir is not offered: points are named NUMBER_ID (got {folders['subdir']!r})"]
            )
        if self._options.resume is not None:
            sweep_dir, plan = self._earlier(arguments)
            if self._options.dry_run:
                print_results(Results(runs_in(sweep_dir)))
                return
        else:
            started = time.perf_counter()
            plan = self._plan(arguments)
            if self._options.dry_run:
                print_plan(_runs(plan), time.perf_counter() - started)
                return
            named = any(text.startswith("hydra.sweep.dir=") for text in self._config.hydra.overrides.hydra)
            sweep_dir = claim_sweep_folder(Path(self._config.hydra.sweep.dir), named)
            write_plan(plan, sweep_dir)
        waiting = [point for point in plan.points if state_of(sweep_dir / point.folder) not in (DONE, RUNNING)]
        self._console.print(
            f"{counted(len(plan.points), 'point')}, {len(waiting)} to run, in {sweep_dir}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        stopped_by, faults = self._launch(waiting, sweep_dir, arguments)
        report_runs([sweep_dir], sweep_dir, asked=plan.asked)
        if isinstance(stopped_by, KeyboardInterrupt):
            raise stopped_by
        raise_if_unfinished(plan.points, sweep_dir, stopped_by, faults)

    def _earlier(self, arguments: list[str]) -> tuple[Path, Plan]:
        sweep_dir = Path(str(self._options.resume))
        plan = read_plan(sweep_dir)
        if self._options.metric or self._options.direction:
            plan = replace(plan, asked=self._asked)
        if arguments and arguments != plan.arguments:
            raise UserError(
                f"sweep.resume: {sweep_dir} is a sweep of '{' '.join(plan.arguments)}', "
                f"not of '{' '.join(arguments)}'; leave the arguments out to continue it"
            )
        return sweep_dir, plan

    def _plan(self, arguments: list[str]) -> Plan:
        loader = self._context.config_loader
        params = [f"{key}={value}" for key, value in (self._options.params or {}).items()]
        points = expand([*params, *arguments], self._options, loader)
        composer = Composer(loader, list(self._config.hydra.overrides.hydra))
        return make_plan(arguments, points, self._options.where, composer, self._asked)

    def _launch(
        self, points: Sequence[Point], sweep_dir: Path, typed: Sequence[str]
    ) -> tuple[BaseException | None, dict[str, str]]:
        """Run points with the chosen launcher; what stopped it, if anything did, and by folder what points raised."""
        faults: dict[str, str] = {}
        if not points:
            return None, faults
        (sweep_dir / PLAN / STOPPED).unlink(missing_ok=True)
        loader: Any = PlannedPoints(sweep_dir.resolve(), points, self._options.fail_fast, typed, self._command)
        with read_write(self._config.hydra), open_dict(self._config):  # Hydra 1.4 hands it over read-only
            self._config.hydra.sweep.dir = str(sweep_dir)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(config_loader=loader, callbacks=self._context.callbacks),
            task_function=run_point,
            config=self._config,
        )
        size = self._options.max_batch_size or len(points)
        try:
            for start in range(0, len(points), size):
                batch = points[start : start + size]
                returned = launcher.launch([job_overrides(point) for point in batch], initial_job_idx=start)
                failed = (
                    (point, job) for point, job in zip(batch, returned, strict=False) if job.status == JobStatus.FAILED
                )
                faults.update((point.folder, str(job._return_value)) for point, job in failed)
        except (Exception, KeyboardInterrupt) as error:  # a worker was killed, a queue refused the job, Ctrl-C
            return error, faults
        return None, faults


def _runs(plan: Plan) -> list[Run]:
    """A plan's points as runs that have not started."""
    return [
        run_from(Path(point.folder), experiment, origin)
        for point, (experiment, origin) in zip(plan.points, plan.experiments, strict=True)
    ]


def raise_if_unfinished(
    points: Sequence[Point], sweep_dir: Path, stopped_by: BaseException | None, faults: Mapping[str, str]
) -> None:
    """Nothing if all points are done.

    Args:
        points: Of the sweep.
        sweep_dir: Its folder.
        stopped_by: What stopped the launcher, if anything did.
        faults: By a point's folder, what it raised.

    Raises:
        UserError: Naming the points that are not done, each with its reason, and how to go on.
    """
    left = []
    for point in points:
        status = read_status(sweep_dir / point.folder)
        if status.get("state") != DONE:
            # A point that could not even begin its record has no status.
            why = status.get("error") or faults.get(point.folder) or status.get("state", MISSING)
            left.append(f"  {point.folder} ({' '.join(point.overrides)}): {why}")
    if not left and stopped_by is None:
        return
    because = f" (the launcher stopped: {stopped_by})" if stopped_by is not None else ""
    more = [f"  and {len(left) - MAX_LISTED} more"] if len(left) > MAX_LISTED else []
    verb = "is" if len(left) == 1 else "are"
    head = f"{len(left)} of {counted(len(points), 'point')} {verb} not done{because}:"
    raise UserError(
        "\n".join([head, *left[:MAX_LISTED], *more]) + f"\nrun them again: {program()} -m sweep.resume={sweep_dir}"
    )
