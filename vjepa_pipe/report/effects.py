"""What each swept setting does to a metric, from points that agree in everything else.

Points of a sweep with the same seed see the same clips. So a setting's effect is the difference between points that
agree in all other settings and in the seed; these differences are averaged for each seed, and how they spread over
the seeds tells how far they can be trusted (`intervals.py`).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from vjepa_pipe.report.design import Cells, Design, Factor, Pairs, moved, pairs
from vjepa_pipe.report.intervals import Interval, interval_of

MAX_TABLES, MAX_SIDE = 30, 10
"""Two-way tables of a metric, and the most values of a factor in one."""


@dataclass(frozen=True)
class Level:
    """A value of a factor.

    Attributes:
        value: As text.
        mean: Of the metric over all runs with this value (the marginal mean).
        runs: How many these are.
        change: From the first value to this one, over pairs; None for the first, and where there is no pair.
    """

    value: str
    mean: float
    runs: int
    change: Interval | None


@dataclass(frozen=True)
class Effect:
    """The main effect of a factor on a metric: a level for each value that some run has."""

    factor: str
    levels: list[Level]


@dataclass(frozen=True)
class TwoWay:
    """The mean of a metric for each pair of values of two factors.

    Attributes:
        rows: The first factor.
        columns: The second.
        means: `[rows][columns]`; None where there is no run.
        interaction: Of two factors with two values each: how much more the first one changes the metric at the second
            value of the other than at its first.
    """

    rows: Factor
    columns: Factor
    means: list[list[float | None]]
    interaction: Interval | None


def main_effects(design: Design, metric: str) -> list[Effect]:
    """The main effect on a metric of each factor of which there are pairs."""
    cells = design.cells(metric)
    compared = [(at, factor) for at, factor in enumerate(design.factors) if factor.compared and len(cells) > 1]
    effects = [Effect(factor.name, list(_levels(cells, at, factor))) for at, factor in compared]
    return [effect for effect in effects if any(level.change is not None for level in effect.levels)]


def two_way_tables(design: Design, metric: str) -> list[TwoWay]:
    """A table for each two factors of few values."""
    cells = design.cells(metric)
    few = [at for at, factor in enumerate(design.factors) if len(factor.levels) <= MAX_SIDE and len(cells) > 1]
    both = itertools.islice(itertools.combinations(few, 2), MAX_TABLES)
    return [_table(cells, a, b, design.factors[a], design.factors[b]) for a, b in both]


def _levels(cells: Cells, at: int, factor: Factor) -> Iterator[Level]:
    found: dict[int, list[float]] = defaultdict(list)
    for place, value in cells.items():
        found[place[at]].append(value)
    base = min(found)
    for level, values in sorted(found.items()):
        change = None if level == base else _change(pairs(cells, at, base, level))
        yield Level(factor.levels[level], fmean(values), len(values), change)


def _change(of_seeds: Pairs) -> Interval | None:
    """From the first to the second of each pair: averaged for each seed, then over the seeds."""
    if not of_seeds:
        return None
    first = [fmean(one for one, _ in of_seed) for of_seed in of_seeds.values()]
    second = [fmean(other for _, other in of_seed) for of_seed in of_seeds.values()]
    return interval_of(first, second)


def _table(cells: Cells, a: int, b: int, rows: Factor, columns: Factor) -> TwoWay:
    found: dict[tuple[int, int], list[float]] = defaultdict(list)
    for place, value in cells.items():
        found[place[a], place[b]].append(value)
    means = [
        [fmean(found[i, j]) if (i, j) in found else None for j in range(len(columns.levels))]
        for i in range(len(rows.levels))
    ]
    two_by_two = len(rows.levels) == len(columns.levels) == 2
    return TwoWay(rows, columns, means, _change(_changes(cells, a, b)) if two_by_two else None)


def _changes(cells: Cells, a: int, b: int) -> Pairs:
    """For each seed, what the first factor changes at the first and at the second level of the other."""
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for place in cells:
        corners = [moved(moved(place, a, i), b, j) for j in (0, 1) for i in (0, 1)]
        if place == corners[0] and all(corner in cells for corner in corners):
            values = [cells[corner] for corner in corners]
            found[place[-1]].append((values[1] - values[0], values[3] - values[2]))
    return found
