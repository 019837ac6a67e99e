"""A sweep as an experiment: which factors its runs vary in, and which runs make pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from vjepa_pipe.report.metric import is_number
from vjepa_pipe.report.results import Results, short_names, text

SEED = "seed"
MAX_LEVELS = 20
"""Values of a factor that are compared with each other; one with more was drawn from an interval."""

Place = tuple[int, ...]
"""Where a run stands: the number of its level of each factor, and last that of its seed."""
Cells = Mapping[Place, float]
"""A metric at the places that have it."""
Pairs = Mapping[int, Sequence[tuple[float, float]]]
"""For each seed, values that differ in one thing only."""


@dataclass(frozen=True)
class Factor:
    """A setting that varies, or several that vary together.

    Attributes:
        name: Their short names.
        levels: The values as text, in the order of the runs.
    """

    name: str
    levels: tuple[str, ...]

    @property
    def compared(self) -> bool:
        """Whether its levels are few enough to be compared one by one."""
        return len(self.levels) <= MAX_LEVELS


class Design:
    """Which factors runs vary in, and where each run stands.

    Args:
        results: The runs.

    Attributes:
        factors: All but the seed.
        places: Of each run.
        seeds: How many there are.
        notes: What cannot be told from these runs, and why.
    """

    def __init__(self, results: Results) -> None:
        self.factors: list[Factor] = []
        self.notes: list[str] = []
        self._metrics = [run.metrics for run in results.runs]
        short = dict(zip(results.titles, short_names(results.titles), strict=True))
        settings = [dict(zip(results.titles, row["settings"], strict=True)) for row in results.rows()]
        columns, seeds = list[list[int]](), [0] * len(settings)
        for keys in _varying_together(settings, results.titles):
            values = [tuple(repr(one[key]) for key in keys) for one in settings]
            shown = {v: " ".join(_shown(one[key]) for key in keys) for v, one in zip(values, settings, strict=True)}
            numbers = {value: number for number, value in enumerate(shown)}
            column = [numbers[value] for value in values]
            if SEED in keys:
                seeds = column
                self.notes += [f"{key} changes with the seed: its effect is not known" for key in keys if key != SEED]
            else:
                self.factors.append(Factor(" ".join(map(short.__getitem__, keys)), tuple(shown.values())))
                columns.append(column)
        self.seeds = len(set(seeds))
        self.places: list[Place] = list(zip(*columns, seeds, strict=True))
        if self.seeds == 1:
            self.notes.append("one seed: differences have no interval; sweep the seed too, such as seed=0,1,2,3,4")
        everywhere = dict.fromkeys(self.places, 0.0)
        alone = []
        for at, factor in enumerate(self.factors):
            if not factor.compared:
                self.notes.append(f"{factor.name} has {len(factor.levels)} values, too many to compare one by one")
            elif not any(pairs(everywhere, at, 0, level) for level in range(1, len(factor.levels))):
                alone.append(factor.name)
        if alone:
            self.notes.append(f"no two points differ only in {' or '.join(alone)}, so what that changes is not known")

    def cells(self, metric: str) -> Cells:
        """A metric wherever a run has it; of runs that agree in everything, the mean."""
        found: dict[Place, list[float]] = defaultdict(list)
        for place, metrics in zip(self.places, self._metrics, strict=True):
            if is_number(metrics.get(metric)):
                found[place].append(float(metrics[metric]))
        return {place: fmean(values) for place, values in found.items()}

    def point(self, place: Place) -> str:
        """The settings of a place, without its seed."""
        at = zip(self.factors, place[:-1], strict=True)
        return ", ".join(f"{factor.name} = {factor.levels[level]}" for factor, level in at)


def pairs(cells: Cells, at: int, first: int, second: int) -> Pairs:
    """For each seed, a metric at two levels of a factor, wherever all other factors agree.

    Args:
        cells: The metric.
        at: Number of the factor.
        first: Number of a level.
        second: That of another.
    """
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for place, value in cells.items():
        if place[at] == first and (partner := moved(place, at, second)) in cells:
            found[place[-1]].append((value, cells[partner]))
    return found


def moved(place: Place, at: int, level: int) -> Place:
    """The place with another level of one factor."""
    return (*place[:at], level, *place[at + 1 :])


def _varying_together(settings: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[str]]:
    """Settings, those together whose values tell one another."""
    groups: dict[Place, list[str]] = defaultdict(list)
    for name in names:
        numbers: dict[str, int] = {}
        groups[tuple(numbers.setdefault(repr(one[name]), len(numbers)) for one in settings)].append(name)
    return list(groups.values())


def _shown(value: Any) -> str:
    return "null" if value is None else text(value)
