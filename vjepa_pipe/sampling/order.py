"""Which sample stands at a position of the run: arithmetic in the position, not a list."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vjepa_pipe.sampling.apportionment import EpochQuotas
from vjepa_pipe.sampling.key import SampleKey
from vjepa_pipe.sampling.permutation import KeyedPermutation
from vjepa_pipe.sampling.rng import keyed_hash

_REMEMBERED_EPOCHS = 4


class SampleOrder:
    """The global sequence of samples, the same for every number of ranks and workers.

    `EpochQuotas` fixes how many samples each source gives to an epoch. A slot of the epoch goes
    through a permutation made from the seed and the epoch, to a source and a place in its quota. The
    source's places, counted over the whole run, walk its rows in one fixed order made from the seed,
    round and round.

    Because that order is fixed, no row comes again before all others have come: at every epoch's end,
    every row has been drawn floor or ceil of its expected number of times over the run so far (in one
    epoch, less than two from it). Rows that one epoch leaves out come first in the next. Which rows meet
    in a batch still changes from epoch to epoch, since the slots are permuted anew.

    Worked example, sizes 4 and 2, weights 1 and 1, epochs of 4 samples: both sources give 2 to each
    epoch, so epoch 0 holds rows a, b of source 0 and both rows of source 1; epoch 1 holds rows c, d
    of source 0 and both rows of source 1 again, in another order.

    Args:
        weights: Share of each source in the samples drawn, in any unit; zero means never.
        sizes: Rows in each source.
        epoch_size: Samples in an epoch over all ranks.
        seed: From 0 to 2**63 - 1.

    Raises:
        ValueError: An argument is out of range (the text names it, and the source), or a source
            with a weight has no rows.
    """

    def __init__(
        self, weights: Sequence[float | Fraction], sizes: Sequence[int], epoch_size: int, seed: int = 0
    ) -> None:
        if len(weights) != len(sizes):
            raise ValueError(f"weights and sizes must have one entry per source (got {len(weights)} and {len(sizes)})")
        if not 0 <= seed < 2**63:
            raise ValueError(f"seed must be from 0 to 2**63 - 1 (got {seed})")
        self.quotas = EpochQuotas(weights, epoch_size)
        for source, (weight, size) in enumerate(zip(weights, sizes, strict=True)):
            if size < 0:
                raise ValueError(f"sizes[{source}] must be >= 0 (got {size})")
            if size == 0 and weight > 0:
                raise ValueError(f"sizes[{source}] must be >= 1 (got 0), as weights[{source}] is {float(weight)}")
        self.epoch_size = int(epoch_size)
        self.seed = int(seed)
        self.sizes = tuple(int(size) for size in sizes)
        self._row_orders: dict[int, KeyedPermutation] = {}
        self._epochs: OrderedDict[int, _EpochPlan] = OrderedDict()

    def at(self, position: int) -> SampleKey:
        """The sample at a position.

        Args:
            position: Place in the global sequence, from 0; epoch e starts at `e * epoch_size`.

        Returns:
            The key of that sample.

        Raises:
            ValueError: `position` is negative.
        """
        if position < 0:
            raise ValueError(f"position must be >= 0 (got {position})")
        epoch, slot = divmod(int(position), self.epoch_size)
        plan = self._epochs.get(epoch) or self._plan(epoch)
        place = plan.slots(slot)
        source = bisect_right(plan.ends, place)
        row = self._row_order(source)((place + plan.offsets[source]) % self.sizes[source])
        return SampleKey(self.seed, epoch, int(position), source, row)

    def at_many(self, positions: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The samples at many positions, as array operations; faster than `at` from about 50 on.

        Args:
            positions: `[n]` integers from 0.

        Returns:
            Sources and rows, `[n]` int64 each: those of the keys that `at` gives.

        Raises:
            ValueError: A position is negative.
        """
        asked = np.asarray(positions, dtype=np.int64)
        if asked.size and asked.min() < 0:
            raise ValueError(f"position must be >= 0 (got {asked.min()})")
        sources, places = np.empty_like(asked), np.empty_like(asked)
        for epoch in np.unique(asked // self.epoch_size).tolist():
            here = asked // self.epoch_size == epoch
            plan = self._epochs.get(epoch) or self._plan(epoch)
            slots = plan.slots.many(asked[here] % self.epoch_size)
            sources[here] = np.searchsorted(plan.ends, slots, side="right")
            places[here] = slots + np.array(plan.offsets, dtype=np.int64)[sources[here]]
        rows = np.empty_like(asked)
        for source in np.unique(sources).tolist():
            here = sources == source
            rows[here] = self._row_order(source).many(places[here] % self.sizes[source])
        return sources, rows

    def positions(self, source: int, row: int, epoch: int) -> list[int]:
        """Where a row stands in an epoch, rising: the inverse of `at`. It costs as much as there are positions.

        Args:
            source: From 0.
            row: Of the source, from 0.
            epoch: From 0.
        """
        plan, size = self._epochs.get(epoch) or self._plan(epoch), self.sizes[source]
        first = plan.ends[source - 1] if source else 0
        # Places of the walk that lead to this row are a whole number of rounds apart.
        to_row = (self._row_order(source).inverse(row) - first - plan.offsets[source]) % size
        places = range(first + to_row, plan.ends[source], size)
        return sorted(epoch * self.epoch_size + plan.slots.inverse(place) for place in places)

    def _row_order(self, source: int) -> KeyedPermutation:
        if source not in self._row_orders:
            key = keyed_hash("rows of a source", self.seed, source)
            self._row_orders[source] = KeyedPermutation(self.sizes[source], key)
        return self._row_orders[source]

    def _plan(self, epoch: int) -> _EpochPlan:
        plan = self._epochs[epoch] = _EpochPlan(self.quotas, self.seed, epoch)
        if len(self._epochs) > _REMEMBERED_EPOCHS:
            self._epochs.popitem(last=False)
        return plan


class _EpochPlan:
    """How the places of one epoch fall to the sources.

    Attributes:
        slots: From a slot of the epoch to a place among the quotas laid end to end.
        ends: Where each source's quota ends among them.
        offsets: From such a place to the place in the source's walk over the run.
    """

    def __init__(self, quotas: EpochQuotas, seed: int, epoch: int) -> None:
        before = quotas.before(epoch)
        quota = quotas.before(epoch + 1) - before
        ends = np.cumsum(quota)
        self.slots = KeyedPermutation(quotas.epoch_size, keyed_hash("slots of an epoch", seed, epoch))
        self.ends: list[int] = ends.tolist()
        self.offsets: list[int] = (before - (ends - quota)).tolist()
