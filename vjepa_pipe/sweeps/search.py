"""A sweep whose points Optuna chooses, each by the results of those before (extra `search`).

The study is `plan/study.log` beside the plan, a journal that `optuna-dashboard` reads. A trial is asked for, its point
composed, checked and written into the plan like any other, run, and its metric told. What a trial is depends only on
the sweep's seed, its number and the results told before it; so a search that was killed goes on as it would have.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.records import read_run
from vjepa_pipe.records.plan import PLAN, STUDY, Point
from vjepa_pipe.records.status import DONE, state_of
from vjepa_pipe.report.metric import Metric, is_number
from vjepa_pipe.sweeps.space import Space

EXTRA = "search"


class Search:
    """Trials of a study, handed out one by one.

    Args:
        sweep_dir: The sweep's folder, with its plan.
        method: `tpe`, `random`, `grid` or `cmaes`.
        space: What is chosen from.
        metric: What trials are judged by.
        samples: How many trials there shall be; None: all of a grid.
        seed: Of the choices.
        planned: Makes points of overrides and writes them into the plan; those that are there already as they are.

    Raises:
        ConfigError: If the space does not fit the method.
        UserError: If Optuna is not installed.
    """

    def __init__(
        self,
        sweep_dir: Path,
        method: str,
        space: Space,
        metric: Metric,
        samples: int | None,
        seed: int,
        planned: Callable[[Sequence[Sequence[str]]], list[Point]],
    ) -> None:
        self._optuna = import_extra("optuna", EXTRA)
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        self._sweep_dir, self._method, self._space, self._metric = sweep_dir, method, space, metric
        self._seed, self._planned = seed, planned
        journal = import_extra("optuna.storages.journal", EXTRA)
        storage = self._optuna.storages.JournalStorage(journal.JournalFileBackend(str(sweep_dir / PLAN / STUDY)))
        self._study = self._optuna.create_study(
            study_name="sweep", storage=storage, direction=metric.direction, load_if_exists=True
        )
        if method == "grid":
            grid = space.grid()
            for params in grid if len(self._study.trials) < len(grid) else ():
                self._study.enqueue_trial(params, skip_if_exists=True)
        self._samples = samples or len(self._study.trials)
        self._left_off = [trial for trial in self._study.trials if trial.state == self._optuna.trial.TrialState.RUNNING]

    def next(self) -> tuple[int, list[Point]] | None:
        """The number of a trial and its points, one for each seed: of those that were left off, or a new one."""
        if self._left_off:
            trial = self._left_off.pop(0)
        else:
            asked = [one for one in self._study.trials if one.state != self._optuna.trial.TrialState.WAITING]
            if len(asked) >= self._samples:
                return None
            self._study.sampler = self._sampler(len(asked))
            trial = self._study.ask(fixed_distributions=self._space.distributions)
        return trial.number, self._planned(self._space.points(trial.params))

    def tell(self, number: int, points: Sequence[Point]) -> None:
        """The mean of the metric over a trial's points; without one for each of them the trial has failed."""
        values = [self._value(point) for point in points]
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            self._study.tell(number, fmean(known))
        else:
            self._study.tell(number, state=self._optuna.trial.TrialState.FAIL)

    def _value(self, point: Point) -> float | None:
        folder = self._sweep_dir / point.folder
        value = read_run(folder).metrics.get(self._metric.name) if state_of(folder) == DONE else None
        return float(value) if is_number(value) else None

    def _sampler(self, number: int) -> Any:
        """The sampler of a trial."""
        samplers, seed = self._optuna.samplers, self._seed + number
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            if self._method == "tpe":
                return samplers.TPESampler(seed=seed, constant_liar=True)
            if self._method == "cmaes":
                import_extra("cmaes", EXTRA)
                return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        return samplers.RandomSampler(seed=seed)


def run_search(search: Search, workers: int, launch: Callable[[Sequence[Point]], None]) -> None:
    """Run trials until there are enough, each worker taking the next one as soon as it is free.

    Args:
        search: Hands them out.
        workers: Trials at a time. One runs in this thread.
        launch: Runs some points and returns when they have ended.

    Raises:
        Exception: What `launch` raises first; no further trial starts then.
    """
    turn, stopped = threading.Lock(), threading.Event()

    def work() -> None:
        while not stopped.is_set():
            with turn:
                trial = search.next()
            if trial is None:
                return
            try:
                launch(trial[1])
            except BaseException:
                stopped.set()
                raise
            with turn:
                search.tell(*trial)

    if workers == 1:
        work()
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="trial") as pool:
        running = [pool.submit(work) for _ in range(workers)]
        try:
            for one in running:
                one.result()
        except BaseException:  # Ctrl-C reaches only this thread
            stopped.set()
            raise
