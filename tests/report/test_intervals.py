"""Intervals of paired differences: as wide as they must be, and none where nothing can be said."""

from __future__ import annotations

import numpy as np
import pytest

from vjepa_pipe.report.intervals import interval_of, t_quantile

ZEROS = np.zeros


@pytest.mark.parametrize(("level", "degrees", "value"), [
    (0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 9, 2.262), (0.95, 60, 2.000), (0.99, 4, 4.604), (0.999, 2, 31.599),
])  # fmt: skip
def test_quantiles_of_t_are_those_of_tables(level: float, degrees: int, value: float) -> None:
    assert t_quantile(level, degrees) == pytest.approx(value, abs=6e-4)


def test_one_seed_has_no_interval() -> None:
    found = interval_of([1.0], [3.0])
    assert (found.mean, found.low, found.high, found.method) == (2.0, None, None, "") and not found.distinguished


def test_few_seeds_have_the_interval_of_student() -> None:
    found = interval_of(ZEROS(5), [1, 2, 3, 4, 5])
    half = 2.776 * np.std([1, 2, 3, 4, 5], ddof=1) / 5**0.5
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half), abs=1e-3)
    assert found.method == "t" and found.distinguished


def test_more_seeds_have_a_bootstrap_that_repeats() -> None:
    differences = np.random.default_rng(3).exponential(size=12)
    found = interval_of(ZEROS(12), differences)
    assert found == interval_of(ZEROS(12), differences) and found.method == "bootstrap" and found.seeds == 12
    assert differences.min() < found.low < found.mean < found.high < differences.max()
    assert found.high - found.mean > found.mean - found.low  # as lopsided as the differences
    assert interval_of(ZEROS(7), differences[:7]).method == "t"


def test_intervals_that_hold_together_are_wider() -> None:
    differences = np.random.default_rng(0).normal(size=10)
    one, ten = interval_of(ZEROS(10), differences), interval_of(ZEROS(10), differences, comparisons=10)
    assert ten.low < one.low < one.high < ten.high
    assert ten.method == "t"  # beyond what resamples can tell


def test_rounding_is_no_difference() -> None:
    assert not interval_of([0.1 + 0.2] * 3, [0.3] * 3).distinguished
    assert interval_of([1e-12] * 3, [2e-12] * 3).distinguished


@pytest.mark.parametrize("seeds", [3, 8, 12])
def test_intervals_cover_what_they_say(seeds: int) -> None:
    draws = np.random.default_rng(1).normal(size=(400, seeds))
    intervals = [interval_of(ZEROS(seeds), draw) for draw in draws]
    covered = np.mean([one.low <= 0 <= one.high for one in intervals])
    assert 0.92 <= covered <= 0.98
