"""How many samples each source gives to each epoch: whole numbers that keep the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from numbers import Rational

import numpy as np
import numpy.typing as npt

from vjepa_pipe.sampling.rare_sources import RareSources


class EpochQuotas:
    """Draws per source and epoch.

    With w a source's share of all weights and N the epoch's length, for every source and epoch:

    - an epoch's quotas sum to N, and none is negative;
    - the draws of epochs 0 .. e - 1 together are floor or ceil of e * N * w;
    - so a quota is less than two from N * w.

    Sources are laid end to end, each as long as its share, and the draws of the first e epochs that fall
    to the first k of them are floor(e * N * (the sum of their shares)); a source's draws are the
    difference of two such numbers. Sources that are expected less than once in an epoch stand first, as
    one, and `RareSources` counts out its draws among them. The arithmetic is exact: a weight counts as
    the decimal that is written for it, so .335, .1 and .565 are 335, 100 and 565 thousandths.

    Any epoch costs a few operations for each source. Where two or more are rare, it also costs
    O(rare draws * log(rare sources)) for each epoch passed: one from an epoch to the next; for a jump, as
    many as the rarest waits for one draw, or all those before if they are fewer.

    Args:
        weights: One weight per source, in any unit; zero means never.
        epoch_size: Draws in an epoch over all sources and ranks.

    Raises:
        ValueError: A weight is negative, infinite or NaN, all are zero, there is none, or
            `epoch_size` is below 1.
    """

    def __init__(self, weights: Sequence[float | Fraction], epoch_size: int) -> None:
        if epoch_size < 1:
            raise ValueError(f"epoch_size must be >= 1 (got {epoch_size})")
        self.epoch_size = int(epoch_size)
        parts = _integer_weights(weights)
        self._total = sum(parts)
        expected = [self.epoch_size * part for part in parts]
        self._rare = [s for s, share in enumerate(expected) if 0 < share < self._total]
        self._common = [s for s, share in enumerate(expected) if not 0 < share < self._total]
        self._rare_counts = RareSources([expected[s] for s in self._rare], self._total)
        self._ends = list(accumulate((expected[s] for s in self._common), initial=sum(expected[s] for s in self._rare)))

    def before(self, epoch: int) -> npt.NDArray[np.int64]:
        """Draws from each source in the epochs before `epoch`.

        Args:
            epoch: From 0.

        Returns:
            `[sources]` int64.

        Raises:
            ValueError: `epoch` is negative.
        """
        if epoch < 0:
            raise ValueError(f"epoch must be >= 0 (got {epoch})")
        draws = np.empty(len(self._rare) + len(self._common), dtype=np.int64)
        draws[self._rare] = self._rare_counts.before(int(epoch))
        draws[self._common] = np.diff([int(epoch) * end // self._total for end in self._ends])
        return draws

    def of(self, epoch: int) -> npt.NDArray[np.int64]:
        """Draws from each source in `epoch`; shape and errors as `before`."""
        before = self.before(epoch)
        return self.before(epoch + 1) - before


def _integer_weights(weights: Sequence[float | Fraction]) -> list[int]:
    """Integers in the exact proportion of `weights`."""
    exact = [_as_written(source, weight) for source, weight in enumerate(weights)]
    if not any(exact):
        raise ValueError(f"weights must not all be zero (got {len(exact)} of them)")
    common = math.lcm(*(weight.denominator for weight in exact))
    return [weight.numerator * (common // weight.denominator) for weight in exact]


def _as_written(source: int, weight: float | Fraction) -> Fraction:
    """The weight as an exact number: 0.1 is one tenth, not the nearest binary fraction."""
    rational = isinstance(weight, Rational)
    if not (weight >= 0 and (rational or math.isfinite(weight))):
        raise ValueError(f"weights[{source}] must be finite and >= 0 (got {weight})")
    if isinstance(weight, Rational):
        return Fraction(int(weight.numerator), int(weight.denominator))
    return Fraction(repr(float(weight)))
