"""Confidence intervals of the mean of paired differences, one difference for each seed.

The interval is a bootstrap over seeds: the expanded percentile interval of Hesterberg ("What Teachers Should Know
About the Bootstrap", 2015), which for normal differences is as wide as Student's t. No resample reaches beyond the
values themselves, so with few seeds, or a level close to 1, a bootstrap covers too little: it gives way to Student's t
where its bounds would be quantiles below `SMALLEST_TAIL`, which at 95 % is below 8 seeds. Measured coverage of 95 %
intervals:

    seeds                            3      5      8     10     15
    percentile bootstrap, normal    74 %   84 %   89 %   91 %   91 %
    expanded percentile, normal     74 %   93 %   95 %   95 %   94 %
    Student's t, normal             95 %   96 %   96 %   95 %   95 %
    used here, exponential          89 %   90 %   90 %   89 %   91 %
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
RESAMPLES = 10_000
SMALLEST_TAIL = 0.005
_ROUNDING = 1e-9
"""Differences smaller than this share of the values are those of rounding."""


@dataclass(frozen=True)
class Interval:
    """A mean difference, and where it may lie.

    Attributes:
        mean: Of the differences.
        low: Lower bound; None with one seed, from which nothing can be said.
        high: Upper bound.
        seeds: Differences that it is of, one a seed.
        method: `bootstrap` or `t`; empty with one seed.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int
    method: str

    @property
    def distinguished(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def interval_of(first: ArrayLike, second: ArrayLike, comparisons: int = 1) -> Interval:
    """The interval of the mean of `second - first`.

    Args:
        first: A value for each seed, `[seeds]`.
        second: What is compared with them, `[seeds]`.
        comparisons: How many intervals are to hold together at 95 %; each is wider for it (Bonferroni).
    """
    before, after = np.asarray(first, float), np.asarray(second, float)
    size = np.maximum(np.abs(before), np.abs(after))
    differences = np.where(np.abs(after - before) <= _ROUNDING * size, 0.0, after - before)
    seeds, mean = len(differences), float(differences.mean())
    if seeds == 1:
        return Interval(mean, None, None, 1, "")
    t = t_quantile(1 - (1 - CONFIDENCE) / comparisons, seeds - 1)
    tail = NormalDist().cdf(-t * (seeds / (seeds - 1)) ** 0.5)
    if tail < SMALLEST_TAIL:
        half = t * float(differences.std(ddof=1)) / seeds**0.5
        return Interval(mean, mean - half, mean + half, seeds, "t")
    low, high = np.quantile(_resamples(seeds) @ differences, [tail, 1 - tail])
    return Interval(mean, float(low), float(high), seeds, "bootstrap")


@lru_cache(maxsize=256)
def t_quantile(level: float, degrees: int) -> float:
    """What Student's t stays below, in absolute value, with a probability of `level`.

    With t = sqrt(degrees) * tan(u), the density of u is in proportion to cos(u) ** (degrees - 1).
    """
    angles = np.linspace(0, np.pi / 2, 100_001)
    density = np.cos(angles) ** (degrees - 1)
    area = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return float(degrees**0.5 * np.tan(np.interp(level, area / area[-1], angles)))


@lru_cache(maxsize=8)
def _resamples(seeds: int) -> NDArray[Any]:
    """The share of each seed in each resample, `[RESAMPLES, seeds]`; always the same ones."""
    return np.random.default_rng(0).multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES) / seeds
