"""One sweep, from its arguments to its report."""

from __future__ import annotations

import os
import threading
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
from vjepa_pipe.config.build import faults_of
from vjepa_pipe.config.errors import ConfigError, UserError, counted
from vjepa_pipe.config.program import program
from vjepa_pipe.config.sweep import SweepConfig
from vjepa_pipe.records import Run, run_from
from vjepa_pipe.records.plan import PLAN, STOPPED_POINTS, PlanFile, Point, read_plan_file
from vjepa_pipe.records.status import DONE, MISSING, RUNNING, alone, read_status, state_of
from vjepa_pipe.report import Results, print_plan, print_results, report_runs, runs_in
from vjepa_pipe.report.metric import asked_in
from vjepa_pipe.sweeps.axes import expand
from vjepa_pipe.sweeps.frozen import STOPPED, PlannedPoints, job_overrides, run_point
from vjepa_pipe.sweeps.plan import Planned, claim_sweep_folder, extend_plan, new_plan, plan_points, write_plan
from vjepa_pipe.sweeps.polling import POLL_SEC
from vjepa_pipe.sweeps.search import Search, metric_of_trials, run_search, search_of, searched_space

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
        self._console = Console(stderr=True)
        self._one_at_a_time = threading.Lock()

    def run(self, arguments: list[str]) -> None:
        """Run every point that is not done, after a plan of its own or an earlier sweep's."""
        folders: Any = OmegaConf.to_container(self._config.hydra.sweep, resolve=False)
        if folders["subdir"] != HYDRAS_SUBDIR:
            raise ConfigError(
                [f"hydra.sweep.subdir is not offered: points are named NUMBER_ID (got {folders['subdir']!r})"]
            )
        if wrong := faults_of(self._options, "sweep"):
            raise ConfigError(wrong)
        if self._options.prune and self._options.search is None:
            raise ConfigError(["sweep.prune needs sweep.search"])
        if self._options.resume is not None:
            sweep_dir, plan = self._earlier(arguments)
            if self._options.dry_run:
                print_results(Results(runs_in(sweep_dir)))
                return
        else:
            started = time.perf_counter()
            plan, planned = self._plan(arguments)
            if self._options.dry_run:
                if self._options.search is not None:
                    self._say("the ends of what is searched, checked; the points themselves are chosen one by one")
                print_plan(_runs(planned), time.perf_counter() - started)
                return
            if self._options.search is not None:  # its points are chosen later; these show what is wrong with any
                plan, planned = new_plan(plan.arguments, self._options), []
            named = any(text.startswith("hydra.sweep.dir=") for text in self._config.hydra.overrides.hydra)
            sweep_dir = claim_sweep_folder(Path(self._config.hydra.sweep.dir), named)
            write_plan(plan, planned, sweep_dir)
        if plan.search is None:
            self._run_planned(plan, sweep_dir, arguments)
        else:  # another process would write another plan
            with alone(sweep_dir / PLAN, f"another process goes on with the search in {sweep_dir}: wait until it ends"):
                self._run_planned(plan, sweep_dir, arguments)

    def _run_planned(self, plan: PlanFile, sweep_dir: Path, arguments: Sequence[str]) -> None:
        """Run what is not done of a plan, and report."""
        search = None if plan.search is None else self._search(plan, sweep_dir)
        (sweep_dir / PLAN / STOPPED).unlink(missing_ok=True)
        with read_write(self._config.hydra), open_dict(self._config):  # Hydra 1.4 hands it over read-only
            self._config.hydra.sweep.dir = str(sweep_dir)
        faults: dict[str, str] = {}
        stopped_by: BaseException | None = None
        try:
            if search is not None:
                self._run_trials(search, sweep_dir, arguments, faults)
            else:
                waiting = _waiting(plan.points, sweep_dir)
                self._say(f"{counted(len(plan.points), 'point')}, {len(waiting)} to run, in {sweep_dir}")
                self._launch(waiting, sweep_dir, arguments, faults)
        except (Exception, KeyboardInterrupt) as error:  # a worker was killed, a queue refused the job, Ctrl-C
            stopped_by = error
        if plan.points:
            report_runs([sweep_dir], sweep_dir, asked=asked_in(plan))
        if isinstance(stopped_by, KeyboardInterrupt):
            raise stopped_by
        raise_if_unfinished(plan.points, sweep_dir, stopped_by, faults, goes_on=search is None or search.left > 0)

    def _earlier(self, arguments: list[str]) -> tuple[Path, PlanFile]:
        sweep_dir = Path(str(self._options.resume))
        plan = read_plan_file(sweep_dir)
        if arguments and arguments != plan.arguments:
            raise UserError(
                f"sweep.resume: {sweep_dir} is a sweep of '{' '.join(plan.arguments)}', "
                f"not of '{' '.join(arguments)}'; leave the arguments out to continue it"
            )
        if plan.search is not None and (self._options.metric or self._options.direction):
            raise UserError("sweep.resume: a search goes on by the metric that it began with")
        if plan.search == "cmaes" and self._options.search != "cmaes":
            raise UserError(
                f"sweep.resume: CMA-ES keeps its state in {sweep_dir} as a pickle, and a pickle can run code: "
                "if this sweep is yours, type sweep.search=cmaes too"
            )
        given = {name: getattr(self._options, name) for name in ("metric", "direction", "samples")}
        return sweep_dir, replace(plan, **{name: value for name, value in given.items() if value is not None})

    def _plan(self, arguments: list[str]) -> tuple[PlanFile, list[Planned]]:
        plan = new_plan(arguments, self._options)
        params = [f"{key}={value}" for key, value in (self._options.params or {}).items()]
        loader = self._context.config_loader
        if self._options.search is not None:
            plan = replace(plan, arguments=[*params, *arguments])
            points = list(searched_space(plan.arguments, self._options, loader).corners())
        else:
            points = expand([*params, *arguments], self._options, loader)
        planned = plan_points(plan, points, self._options.where, self._composer())
        if self._options.search is not None:
            metric_of_trials(plan, planned[0].experiment.task._target_)
        return plan, planned

    def _composer(self) -> Composer:
        return Composer(self._context.config_loader, list(self._config.hydra.overrides.hydra))

    def _search(self, plan: PlanFile, sweep_dir: Path) -> Search:
        composer = self._composer()

        def planned(overrides: Sequence[Sequence[str]]) -> list[Point]:
            known = len(plan.points)
            found = plan_points(plan, overrides, None, composer)
            if new := [one for one in found if one.point in plan.points[known:]]:
                extend_plan(plan, new, sweep_dir / PLAN)
            return [one.point for one in found]

        return search_of(plan, sweep_dir, composer, self._context.config_loader, planned)

    def _run_trials(self, search: Search, sweep_dir: Path, typed: Sequence[str], faults: dict[str, str]) -> None:
        """Run the points that Optuna chooses, as many at a time as the launcher runs."""

        def launch(points: Sequence[Point]) -> bool:
            self._wait_for_others(points, sweep_dir)
            self._launch(_waiting(points, sweep_dir), sweep_dir, typed, faults)
            return not (self._options.fail_fast and faults)

        launcher = self._config.hydra.launcher
        workers = launcher.get("n_jobs") or launcher.get("array_parallelism") or 1
        workers = min(workers if workers > 0 else os.cpu_count() or 1, search.trials)
        self._say(f"{counted(search.trials, 'trial')}, {search.left} to run, {workers} at a time, in {sweep_dir}")
        run_search(search, workers, launch)

    def _wait_for_others(self, points: Sequence[Point], sweep_dir: Path) -> None:
        """Wait until no process runs a point that it began for a search that was killed."""

        def running() -> list[str]:
            return [point.folder for point in points if state_of(sweep_dir / point.folder) == RUNNING]

        if left := running():
            self._say(f"waiting for {', '.join(left)}: a process that outlived its search still runs it")
        while running():
            time.sleep(POLL_SEC)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _launch(self, points: Sequence[Point], sweep_dir: Path, typed: Sequence[str], faults: dict[str, str]) -> None:
        """Run points with the chosen launcher; receives in `faults`, by folder, what points raised.

        Raises:
            Exception: What stopped the launcher.
        """
        if not points:
            return
        loader: Any = PlannedPoints(sweep_dir.resolve(), points, self._options.fail_fast, typed, self._command)
        with self._one_at_a_time:
            launcher = Plugins.instance().instantiate_launcher(
                hydra_context=HydraContext(config_loader=loader, callbacks=self._context.callbacks),
                task_function=run_point,
                config=self._config,
            )
        size = self._options.max_batch_size or len(points)
        for start in range(0, len(points), size):
            batch = points[start : start + size]
            returned = launcher.launch([job_overrides(point) for point in batch], initial_job_idx=start)
            failed = (
                (point, job) for point, job in zip(batch, returned, strict=False) if job.status == JobStatus.FAILED
            )
            faults.update((point.folder, str(job._return_value)) for point, job in failed)


def _waiting(points: Sequence[Point], sweep_dir: Path) -> list[Point]:
    return [point for point in points if state_of(sweep_dir / point.folder) not in (DONE, RUNNING)]


def _runs(planned: Sequence[Planned]) -> list[Run]:
    """Points as runs that have not started."""
    return [run_from(Path(one.point.folder), one.experiment, one.origin) for one in planned]


def raise_if_unfinished(
    points: Sequence[Point],
    sweep_dir: Path,
    stopped_by: BaseException | None,
    faults: Mapping[str, str],
    *,
    goes_on: bool = True,
) -> None:
    """Nothing if all points are done.

    Args:
        points: Of the sweep.
        sweep_dir: Its folder.
        stopped_by: What stopped the launcher, if anything did.
        faults: By a point's folder, what it raised.
        goes_on: Whether something is left to run; a trial that has failed is not run again.

    Raises:
        UserError: Naming the points that are not done, each with its reason, and how to go on.
    """
    left = []
    for point in points:
        status = read_status(sweep_dir / point.folder)
        if status.get("state") != DONE and not (sweep_dir / PLAN / STOPPED_POINTS / point.id).exists():
            # A point that could not even begin its record has no status.
            why = status.get("error") or faults.get(point.folder) or status.get("state", MISSING)
            left.append(f"  {point.folder} ({' '.join(point.overrides)}): {why}")
    if not left and stopped_by is None:
        return
    because = f" (the launcher stopped: {stopped_by})" if stopped_by is not None else ""
    more = [f"  and {len(left) - MAX_LISTED} more"] if len(left) > MAX_LISTED else []
    verb = "is" if len(left) == 1 else "are"
    head = f"{len(left)} of {counted(len(points), 'point')} {verb} not done{because}:"
    again = [f"run them again: {program()} -m sweep.resume={sweep_dir}"] if goes_on else []
    raise UserError("\n".join([head, *left[:MAX_LISTED], *more, *again]))
