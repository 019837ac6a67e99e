"""Mean, spread and range of states and actions, and what is done with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from vjepa_pipe.robotics.poses import Array

QUANTILES = (0.01, 0.99)
CONSTANT_BELOW = 1e-8
"""A number that varies less than this is not scaled, only centred."""


@dataclass(frozen=True)
class Statistics:
    """Statistics of each number of a state or an action; each attribute is `[D]`.

    Attributes:
        mean: Mean.
        std: Standard deviation.
        min: Smallest value.
        max: Largest value.
        q01: First percentile.
        q99: 99th percentile.
    """

    mean: Array
    std: Array
    min: Array
    max: Array
    q01: Array
    q99: Array

    @classmethod
    def of(cls, values: Array) -> Statistics:
        """Statistics of `[N, D]` values, N from 1."""
        low, high = np.quantile(values, QUANTILES, axis=0)
        return cls(values.mean(0), values.std(0), values.min(0), values.max(0), low, high)

    def as_lists(self) -> dict[str, list[float]]:
        """Plain lists, for JSON."""
        return {field.name: getattr(self, field.name).tolist() for field in fields(self)}

    @classmethod
    def from_lists(cls, lists: Mapping[str, list[float]]) -> Statistics:
        """The inverse of `as_lists`.

        Raises:
            ValueError: Something is missing or not a list of numbers.
        """
        missing = [field.name for field in fields(cls) if field.name not in lists]
        if missing:
            raise ValueError(f"misses {', '.join(missing)}")
        return cls(**{field.name: np.array(lists[field.name], np.float64) for field in fields(cls)})

    def normalize(self, values: Array, how: str) -> Array:
        """Values on a common scale.

        Args:
            values: `[..., D]`.
            how: `standard` gives mean 0 and standard deviation 1; `quantile` maps the 1st percentile to -1 and the
                99th to 1, without cutting what lies outside.

        Raises:
            ValueError: D is another one, or there is no such way.
        """
        if values.shape[-1] != len(self.mean):
            raise ValueError(f"statistics are of {len(self.mean)} numbers, these have {values.shape[-1]}")
        if how == "standard":
            centre, spread = self.mean, self.std
        elif how == "quantile":
            centre, spread = (self.q01 + self.q99) / 2, (self.q99 - self.q01) / 2
        else:
            raise ValueError(f"normalization must be standard or quantile (got {how!r})")
        return (values - centre) / np.where(spread < CONSTANT_BELOW, 1.0, spread)
