"""A sweep whose points Optuna chooses, each by the results of those before (extra `search`).

The study is `plan/study.log` beside the plan, a journal that `optuna-dashboard` reads. A trial is asked for, its point
composed, checked and written into the plan like any other, run, and its metric told. What a trial is depends only on
the sweep's seed, its number and the results told before it; so a search that was killed goes on as it would have.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from hydra.core.config_loader import ConfigLoader
from rich.console import Console

from vjepa_pipe.composition.composer import Composer
from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.config.sweep import SweepConfig
from vjepa_pipe.files.regular_file import open_regular
from vjepa_pipe.records import read_run
from vjepa_pipe.records.curves import read_curves
from vjepa_pipe.records.origin import is_hydras
from vjepa_pipe.records.plan import PLAN, STOPPED_POINTS, STUDY, PlanFile, Point
from vjepa_pipe.records.status import DONE, state_of
from vjepa_pipe.report.metric import Metric, asked_in, is_number
from vjepa_pipe.sweeps.plan import plan_points
from vjepa_pipe.sweeps.polling import polling
from vjepa_pipe.sweeps.space import Space, space_of

EXTRA = "search"
NEWEST_BYTES = 2**16
"""Of a `metrics.jsonl`, in which the newest value is looked for."""


class Search:
    """Trials of a study, handed out one by one.

    Args:
        sweep_dir: The sweep's folder, with its plan.
        method: `tpe`, `random`, `grid` or `cmaes`.
        space: What is chosen from.
        metric: What trials are judged by.
        samples: How many trials there shall be; None: all of a grid.
        prune: Whether trials are stopped that fall behind.
        seed: Of the choices.
        planned: Makes points of overrides and writes them into the plan; those that are there already as they are.

    Raises:
        ConfigError: If a grid is searched and a setting is given as an interval.
        UserError: If Optuna is not installed, or the study of an earlier run cannot be read.

    Attributes:
        trials: How many trials there shall be.
        prunes: Whether trials are stopped that fall behind.
    """

    def __init__(
        self,
        sweep_dir: Path,
        method: str,
        space: Space,
        metric: Metric,
        samples: int | None,
        prune: bool,
        seed: int,
        planned: Callable[[Sequence[Sequence[str]]], list[Point]],
    ) -> None:
        self._optuna = import_extra("optuna", EXTRA)
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        self._sweep_dir, self._method, self._space, self._metric = sweep_dir, method, space, metric
        self._seed, self._planned = seed, planned
        self._states = self._optuna.trial.TrialState
        self._study = self._opened(sweep_dir / PLAN / STUDY, metric.direction)
        self._behind = sweep_dir / PLAN / STOPPED_POINTS
        if prune:
            self._behind.mkdir(exist_ok=True)
        self.prunes = prune
        self._asked: dict[int, Any] = {}
        if method == "grid":
            grid = space.grid()
            for params in grid if len(self._study.trials) < len(grid) else ():
                self._study.enqueue_trial(params, skip_if_exists=True)
        self.trials = samples or len(self._study.trials)
        self._left_off = []
        for trial in self._study.trials:
            if trial.state == self._states.RUNNING and trial.params.keys() == space.distributions.keys():
                self._left_off.append(trial)
            elif trial.state == self._states.RUNNING:  # killed before all was chosen
                self._study.tell(trial.number, state=self._states.FAIL)

    def _opened(self, file: Path, direction: str) -> Any:
        journal = import_extra("optuna.storages.journal", EXTRA)
        try:
            _cut_half_a_line(file)
            # The whole path: Optuna's lock is a link to it, which it cannot follow from elsewhere, and waits for ever.
            storage = self._optuna.storages.JournalStorage(journal.JournalFileBackend(str(file.resolve())))
            return self._optuna.create_study(
                study_name="sweep", storage=storage, direction=direction, load_if_exists=True,
                pruner=self._optuna.pruners.SuccessiveHalvingPruner(),
            )  # fmt: skip
        except Exception as error:  # a damaged journal raises whatever its lines lead to
            raise UserError(f"cannot read {file}: {type(error).__name__}: {error}") from error

    @property
    def left(self) -> int:
        """Trials that have not ended."""
        ended: int = sum(trial.state.is_finished() for trial in self._study.trials)
        return self.trials - ended

    def next(self) -> tuple[int, list[Point]] | None:
        """The number of a trial and its points, one for each seed; None if there are enough.

        A trial whose settings do not go together has failed, which is said, and the next one is taken.
        """
        while (trial := self._left_off.pop(0) if self._left_off else self._new()) is not None:
            self._asked[trial.number] = self._optuna.trial.Trial(self._study, trial._trial_id)
            try:
                return trial.number, self._planned(self._space.points(trial.params))
            except ConfigError as error:
                Console(stderr=True, soft_wrap=True).print(f"trial {trial.number}: {error}", markup=False)
                self._study.tell(trial.number, state=self._states.FAIL)
        return None

    def _new(self) -> Any:
        asked = sum(trial.state != self._states.WAITING for trial in self._study.trials)
        if asked >= self.trials:
            return None
        self._study.sampler = self._sampler(asked)
        return self._study.ask(fixed_distributions=self._space.distributions)

    def tell(self, number: int, points: Sequence[Point]) -> None:
        """The mean of the metric over a trial's points; without one for each of them the trial has failed."""
        values = [self._value(point) for point in points]
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            self._study.tell(number, fmean(known))
        else:
            pruned = any((self._behind / point.id).exists() for point in points)
            self._study.tell(number, state=self._states.PRUNED if pruned else self._states.FAIL)

    def falls_behind(self, number: int, points: Sequence[Point]) -> bool:
        """Report the newest value of a trial's first point; whether others did better by then."""
        trial, name = self._asked[number], self._metric.name
        try:
            curves = read_curves(self._sweep_dir / points[0].folder, NEWEST_BYTES)
        except UserError:
            return False
        newest = max((step for step, row in curves.items() if step >= 0 and is_number(row.get(name))), default=None)
        if newest is None or int(newest) in self._study.trials[number].intermediate_values:
            return False
        trial.report(curves[newest][name], int(newest))
        behind: bool = trial.should_prune()
        return behind

    def stop(self, points: Sequence[Point]) -> None:
        """Let runs stop, and those that have not begun not begin."""
        for point in points:
            (self._behind / point.id).touch()

    def _value(self, point: Point) -> float | None:
        folder = self._sweep_dir / point.folder
        metrics = read_run(folder).metrics if state_of(folder) == DONE else {}
        return float(metrics[self._metric.name]) if is_number(metrics.get(self._metric.name)) else None

    def _sampler(self, number: int) -> Any:
        """The sampler of a trial."""
        samplers, seed = self._optuna.samplers, self._seed + number
        if self._method == "tpe":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # optuna 4 calls constant_liar experimental
                return samplers.TPESampler(seed=seed, constant_liar=True)
        if self._method == "cmaes":
            import_extra("cmaes", EXTRA)
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        return samplers.RandomSampler(seed=seed)


def searched_space(arguments: Sequence[str], options: SweepConfig, loader: ConfigLoader) -> Space:
    """The space of a search that is about to be planned.

    Raises:
        ConfigError: If it does not fit the other settings of the sweep.
    """
    given = [name for name in ("zip", "points", "where") if getattr(options, name)]
    faults = [f"sweep.{name} is not offered with sweep.search" for name in given]
    if options.search != "grid" and options.samples is None:
        faults.append(f"sweep.search={options.search} needs sweep.samples, the number of trials")
    if faults:
        raise ConfigError(faults)
    space = space_of(arguments, loader)
    if options.search == "grid":
        space.grid()
    return space


def metric_of_trials(plan: PlanFile, target: str) -> Metric:
    """What trials of a task are judged by.

    Raises:
        ConfigError: If that is not known.
    """
    metric = asked_in(plan).before_runs(target)
    if metric is None:
        raise ConfigError([f"sweep.search needs sweep.metric: it is not known what {target} is judged by"])
    return metric


def search_of(
    plan: PlanFile,
    sweep_dir: Path,
    composer: Composer,
    loader: ConfigLoader,
    planned: Callable[[Sequence[Sequence[str]]], list[Point]],
) -> Search:
    """The search that a plan describes, as far as it has come.

    Raises:
        ConfigError: If there is no metric to judge trials by.
        UserError: If the plan's first point would be another one by now, or Optuna is not installed.
    """
    assert plan.search is not None
    space = space_of([text for text in plan.arguments if not is_hydras(text)], loader)
    first = [text for text in plan.points[0].overrides if not is_hydras(text)] if plan.points else next(space.corners())
    (again,) = plan_points(replace(plan, points=[]), [first], None, composer)
    if plan.points and again.point.id != plan.points[0].id:
        raise UserError(f"conf/ has changed since {sweep_dir} was planned: its further points would not be comparable")
    metric = metric_of_trials(plan, again.experiment.task._target_)
    return Search(sweep_dir, plan.search, space, metric, plan.samples, plan.prune, plan.seed, planned)


def run_search(search: Search, workers: int, launch: Callable[[Sequence[Point]], bool]) -> None:
    """Run trials until there are enough, each worker taking the next one as soon as it is free.

    Args:
        search: Hands them out.
        workers: Trials at a time. One runs in this thread.
        launch: Runs those of some points that are not done, and says when they have ended whether to go on.

    Raises:
        Exception: What `launch` raises first; no further trial starts then.
    """
    turn, stopped = threading.Lock(), threading.Event()
    in_use: dict[str, threading.Lock] = defaultdict(threading.Lock)  # two trials may come to the same point

    def work() -> None:
        try:
            while not stopped.is_set():
                with turn:
                    if (trial := search.next()) is None:
                        return
                    locks = [in_use[folder] for folder in sorted(point.folder for point in trial[1])]
                with ExitStack() as stack:
                    for lock in locks:
                        stack.enter_context(lock)
                    if search.prunes:
                        stack.enter_context(_watched(search, *trial, turn))
                    if not launch(trial[1]):
                        stopped.set()
                with turn:
                    search.tell(*trial)
        except BaseException:
            stopped.set()
            raise

    if workers == 1:
        work()
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="trial") as pool:
        try:
            for one in [pool.submit(work) for _ in range(workers)]:
                one.result()
        except BaseException:  # Ctrl-C reaches only this thread
            stopped.set()
            raise


def _cut_half_a_line(journal: Path) -> None:
    """Take away what a full disk has left of a line: Optuna would write the next one behind it."""
    if journal.exists():
        with open_regular(journal) as stream:
            content = stream.read()
        if not content.endswith(b"\n"):
            os.truncate(journal, content.rfind(b"\n") + 1)


@contextmanager
def _watched(search: Search, number: int, points: Sequence[Point], turn: threading.Lock) -> Iterator[None]:
    """While a trial runs, look every so often whether it falls behind."""

    def look() -> bool:
        with turn:
            if behind := search.falls_behind(number, points):
                search.stop(points)
        return behind

    try:
        with polling(look, "falling behind"):
            yield
    finally:
        with turn:
            search.falls_behind(number, points)  # for others to be compared with
