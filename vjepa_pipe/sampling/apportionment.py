"""How many samples each source gives to each epoch: whole numbers that keep the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from numbers import Rational

import numpy as np
import numpy.typing as npt

from vjepa_pipe.sampling.pfair import PfairSchedule

# Counts remembered for epochs already visited: 2**20 of them take 8 MiB.
_REMEMBERED_COUNTS = 2**20


class EpochQuotas:
    """Draws per source and epoch.

    With w a source's share of all weights and N the epoch's length, for every source and epoch:

    - an epoch's quotas sum to N;
    - a quota is floor or ceil of N * w;
    - the draws of epochs 0 .. e together are floor or ceil of (e + 1) * N * w.

    Rounding each source by itself breaks the first promise as soon as there are three sources, and
    patching the sum breaks the others; the units left over by N * w are handed out by
    `PfairSchedule`. The arithmetic is exact: a weight counts as the decimal that is written for it,
    so .335, .1 and .565 are 335, 100 and 565 thousandths.

    The quotas repeat after a number of epochs that depends on the weights. The next epoch costs
    O(draws left over * log(sources)); a jump costs as much for each epoch it passes within one such
    period, forwards from the last epoch asked for, or from the start of the period when it goes back.

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
        parts = _integer_weights(weights)
        total = sum(parts)
        self.epoch_size = int(epoch_size)
        self._whole = np.array([self.epoch_size * part // total for part in parts], dtype=np.int64)
        left_over = [self.epoch_size * part % total for part in parts]
        # In lowest terms, the denominator is also the number of epochs after which no source is
        # ahead or behind: 1/6, 1/3 and 1/2 of a draw per epoch are settled after 6 epochs.
        divisor = math.gcd(total, *left_over)
        self.period = total // divisor
        self._shares = [part // divisor for part in left_over]
        self._per_period = np.array(self._shares, dtype=object)
        self._restart()

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
        periods, slot = divmod(int(epoch), self.period)
        total: npt.NDArray[np.int64] = epoch * self._whole + self._extra(slot)
        if periods:
            total += (periods * self._per_period).astype(np.int64)
        return total

    def of(self, epoch: int) -> npt.NDArray[np.int64]:
        """Draws from each source in `epoch`; shape and errors as `before`."""
        return self.before(epoch + 1) - self.before(epoch)

    def _restart(self) -> None:
        self._schedule = PfairSchedule(self._shares, self.period)
        self._remembered: dict[int, npt.NDArray[np.int64]] = {}

    def _extra(self, slot: int) -> npt.NDArray[np.int64]:
        """Draws beyond the whole part of N * w, in the first `slot` epochs of a period."""
        if slot == 0:
            return np.zeros(len(self._shares), dtype=np.int64)
        if slot <= self._schedule.slot and slot not in self._remembered:
            self._restart()
        while self._schedule.slot < slot:
            self._schedule.advance()
            self._remembered[self._schedule.slot] = np.array(self._schedule.served, dtype=np.int64)
            if len(self._remembered) > max(2, _REMEMBERED_COUNTS // len(self._shares)):
                del self._remembered[next(iter(self._remembered))]
        return self._remembered[slot]


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
