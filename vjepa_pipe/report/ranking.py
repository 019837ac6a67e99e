"""Which point is best, where that can be said."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.sweep import MAXIMIZE
from vjepa_pipe.report.design import Design, Place
from vjepa_pipe.report.intervals import Interval, interval_of
from vjepa_pipe.report.metric import Metric


@dataclass(frozen=True)
class Ranked:
    """A point, over all its seeds.

    Attributes:
        run: Number of its run with the first seed.
        settings: In words.
        mean: Of the metric.
        behind: From the best mean to this one; None for the best. These of all points hold together at 95 %.
    """

    run: int
    settings: str
    mean: float
    behind: Interval | None


@dataclass(frozen=True)
class Ranking:
    """Points from the best mean to the worst.

    Attributes:
        points: Those that have a value for every seed.
        verdict: Whether the first can be told from the others, in words.
    """

    points: list[Ranked]
    verdict: str


def rank(design: Design, metric: Metric) -> Ranking:
    """The points, best mean first, and whether the first can be told from the others.

    The points are compared with the best one, which was chosen for its mean: so the intervals hold together, lest one
    of many equal points look better than the others by chance.
    """
    found: dict[Place, dict[int, float]] = defaultdict(dict)
    for place, value in design.cells(metric.name).items():
        found[place[:-1]][place[-1]] = value
    seeds = sorted({seed for values in found.values() for seed in values})
    values = {place: [one[seed] for seed in seeds] for place, one in found.items() if len(one) == len(seeds)}
    means = {place: fmean(one) for place, one in values.items()}
    order = sorted(means, key=lambda place: means[place], reverse=metric.direction == MAXIMIZE)
    runs = {place: run for run, place in enumerate(design.places)}
    points = [
        Ranked(
            runs[*place, seeds[0]],
            design.point((*place, 0)),
            means[place],
            None if place is order[0] else interval_of(values[order[0]], values[place], len(order) - 1),
        )
        for place in order
    ]
    left_out = len(found) - len(order)
    more = f"; {counted(left_out, 'point')} without a value for every seed left out" if left_out else ""
    return Ranking(points, _verdict(points, metric, len(seeds)) + more)


def _verdict(points: list[Ranked], metric: Metric, seeds: int) -> str:
    if len(points) < 2:
        return f"not ranked: {counted(len(points), 'point')} with {metric.name} for every seed"
    if seeds == 1:
        return "not ranked: with one seed, an effect cannot be told from chance"
    tied = sum(point.behind is not None and not point.behind.distinguished for point in points)
    if tied:
        return (
            f"not ranked: the best mean cannot be told from {tied} of {counted(len(points) - 1, 'other')}, since the "
            "interval of the difference includes 0"
        )
    return f"ranked: {points[0].settings} is best, since no interval of a difference to it includes 0"
