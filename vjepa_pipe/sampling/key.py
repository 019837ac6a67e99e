"""The name of one sample, five numbers from which everything about it follows, and a row number that carries it."""

from __future__ import annotations

from typing import Any, NamedTuple


class SampleKey(NamedTuple):
    """One sample of one run.

    Attributes:
        seed: The experiment's seed, from 0 to 2**63 - 1.
        epoch: Epoch the sample belongs to, from 0.
        position: Place in the global sequence of the whole run, over all ranks, from 0. It does not
            start again with an epoch.
        source: Source the sample comes from, from 0.
        row: Row of that source, from 0.
    """

    seed: int
    epoch: int
    position: int
    source: int
    row: int


class KeyedIndex(int):
    """A row number, over all sources laid end to end, that carries the rest of its sample's key.

    Whatever takes an int takes it. A dataset of this package draws from the key, so that a row's window
    and crop change with the epoch in torch's own DataLoader too. `ConcatDataset` keeps the key, as it
    subtracts the rows of the datasets before; what looks a row up in a list of its own, such as `Subset`,
    passes on a plain int, whose sample is the same in every epoch.

    Args:
        row: The row number.
        seed: As in `SampleKey`.
        epoch: As in `SampleKey`.
        position: As in `SampleKey`.
    """

    seed: int
    epoch: int
    position: int

    def __new__(cls, row: int, seed: int, epoch: int, position: int) -> KeyedIndex:
        self = super().__new__(cls, row)
        self.seed, self.epoch, self.position = seed, epoch, position
        return self

    def __sub__(self, rows: int) -> KeyedIndex:
        if not isinstance(rows, int):
            return NotImplemented
        return KeyedIndex(int(self) - rows, self.seed, self.epoch, self.position)

    def __reduce__(self) -> tuple[Any, ...]:
        return KeyedIndex, (int(self), self.seed, self.epoch, self.position)
