"""Every row once, in order: for evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from vjepa_pipe.sampling.concat import ConcatIndices
from vjepa_pipe.sampling.key import SampleKey


class SequentialOrder:
    """Position p is row p of the sources laid end to end, again from the start in every epoch.

    Args:
        sizes: Rows of each source.
        seed: Seed of the keys.
    """

    def __init__(self, sizes: Sequence[int], seed: int = 0) -> None:
        self._index = ConcatIndices(sizes)
        self._seed = seed

    def at(self, position: int) -> SampleKey:
        """The key at a position. It is the same in every epoch, so that evaluations repeat."""
        row = position % len(self._index)
        source, local = self._index[row]
        return SampleKey(self._seed, 0, row, source, local)

    def positions(self, source: int, row: int, epoch: int) -> list[int]:
        """Where a row stands in an epoch: once."""
        return [epoch * len(self._index) + self._index.index(source, row)]
