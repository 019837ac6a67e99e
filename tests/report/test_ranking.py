"""Points are ranked only where they can be told apart."""

from __future__ import annotations

import random

import pytest
from swept import grid

from vjepa_pipe.config.sweep import MAXIMIZE, MINIMIZE
from vjepa_pipe.records import Run
from vjepa_pipe.report import Results
from vjepa_pipe.report.design import Design
from vjepa_pipe.report.metric import Metric
from vjepa_pipe.report.ranking import Ranking, rank


def ranking(runs: list[Run], direction: str = MINIMIZE) -> Ranking:
    return rank(Design(Results(runs)), Metric("loss", direction))


def points(step: float, spread: float = 0.1, seeds: int = 5, count: int = 3, start: int = 0) -> list[Run]:
    """Point `a` has a loss of `a * step`, with noise of its own."""
    draw = random.Random(start)
    return grid(
        {"a": range(count), "seed": range(seeds)}, lambda a, seed: {"loss": a * step + seed + draw.gauss(0, spread)}
    )


def test_points_that_differ_are_ranked() -> None:
    found = ranking(points(step=2))
    assert found.verdict == "ranked: a = 0 is best, since no interval of a difference to it includes 0"
    assert [point.settings for point in found.points] == ["a = 0", "a = 1", "a = 2"]
    assert [point.run for point in found.points] == [0, 5, 10] and found.points[0].behind is None
    assert found.points[2].behind.mean == pytest.approx(4, abs=0.3)
    upwards = ranking(points(step=2), MAXIMIZE)
    assert upwards.points[0].settings == "a = 2" and upwards.points[1].behind.high < 0


def test_points_that_overlap_are_not() -> None:
    found = ranking([*points(step=0.01, count=2), *points(step=3, count=3)[10:]])
    assert found.verdict == (
        "not ranked: the best mean cannot be told from 1 of 2 others, since the interval of the difference includes 0"
    )
    assert [point.behind.distinguished for point in found.points[1:]] == [False, True]


def test_one_seed_ranks_nothing() -> None:
    found = ranking(points(step=2, seeds=1))
    assert found.verdict == "not ranked: with one seed, an effect cannot be told from chance"
    assert len(found.points) == 3 and found.points[1].behind.low is None


def test_a_point_that_lacks_a_seed_is_left_out() -> None:
    runs = points(step=2)
    runs[0].metrics = {}
    found = ranking(runs)
    assert [point.settings for point in found.points] == ["a = 1", "a = 2"]
    assert found.verdict.endswith("; 1 point without a value for every seed left out")
    for run in runs:
        run.metrics = {}
    assert ranking(runs).verdict == "not ranked: 0 points with loss for every seed"


def test_of_many_equal_points_few_look_worse_than_the_best() -> None:
    """Without intervals that hold together one in nine would."""
    worse = [
        point.behind.distinguished
        for start in range(40)
        for point in ranking(points(step=0, count=10, start=start)).points[1:]
    ]
    assert sum(worse) / len(worse) < 0.03
