"""Points drawn from intervals."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import IntervalSweep


def unit_points(sampler: str, samples: int, dimensions: int, seed: int) -> list[list[float]]:
    """Points in the unit cube, `[samples][dimensions]`, each coordinate in [0, 1).

    Args:
        sampler: `random`; `latin_hypercube`, one point in each of `samples` slices of every axis; or
            `sobol`, a scrambled low-discrepancy sequence that covers the cube evenly.
        samples: How many.
        dimensions: Of the cube.
        seed: The same seed gives the same points.
    """
    generator = random.Random(seed)
    if sampler == "random":
        return [[generator.random() for _ in range(dimensions)] for _ in range(samples)]
    if sampler == "latin_hypercube":
        axes = []
        for _ in range(dimensions):
            slices = generator.sample(range(samples), samples)
            axes.append([(slot + generator.random()) / samples for slot in slices])
        return [list(point) for point in zip(*axes, strict=True)]
    from torch.quasirandom import SobolEngine  # seconds to import, so only where it is asked for

    engine: Any = SobolEngine
    drawn: list[list[float]] = engine(dimensions, scramble=True, seed=seed).draw(samples).double().tolist()
    return drawn


def ends_of(interval: IntervalSweep) -> tuple[int | float, int | float, bool]:
    """The bounds of an interval, and whether its scale is logarithmic.

    Args:
        interval: `interval(low,high)`, `int(interval(low,high))` for whole numbers from low to high,
            `tag(log,interval(low,high))` for a logarithmic scale.

    Raises:
        ValueError: If the interval is empty, or not above 0 with a logarithmic scale.
    """
    low, high, log = interval.start, interval.end, "log" in interval.tags
    if low is None or high is None or not low < high:
        raise ValueError(f"interval({low},{high}) must be in ascending order")
    if log and low <= 0:
        raise ValueError(f"interval({low},{high}) must be above 0 for a logarithmic scale")
    return low, high, log


def scaled(interval: IntervalSweep, at: float) -> int | float:
    """The value at a place in an interval.

    Args:
        interval: As for `ends_of`.
        at: From 0 to 1.

    Raises:
        ValueError: As `ends_of`.
    """
    low, high, log = ends_of(interval)
    whole = isinstance(low, int) and isinstance(high, int)
    if log:
        value = math.exp(math.log(low) + at * (math.log(high) - math.log(low)))
    elif whole:
        return min(int(low + int(at * (high - low + 1))), int(high))
    else:
        value = low + at * (high - low)
    return round(value) if whole else rounded(value)


def rounded(value: float) -> float:
    """A drawn number with as many digits as people read."""
    return float(f"{value:.6g}")


def interval_axis(
    intervals: Sequence[tuple[str, IntervalSweep]], sampler: str, samples: int, seed: int
) -> list[list[str]]:
    """Overrides for each drawn point."""
    points = unit_points(sampler, samples, len(intervals), seed)
    return [
        [f"{key}={scaled(interval, at)}" for (key, interval), at in zip(intervals, point, strict=True)]
        for point in points
    ]
