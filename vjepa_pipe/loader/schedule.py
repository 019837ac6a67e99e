"""Which keys make up which batch, on which rank: arithmetic on positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from vjepa_pipe.sampling import SampleKey


class Order(Protocol):
    """Which sample stands at a position of the run."""

    def at(self, position: int) -> SampleKey:
        """The key at a global position, counted from the start of the run."""


@dataclass
class BatchSchedule:
    """The batches of one rank, epoch after epoch.

    Batch b of an epoch holds `batch_size * world_size` consecutive positions; each rank takes an equal
    run of them, so the global batch is the same whatever the number of ranks. The last batch of an
    epoch may be smaller; then ranks differ by one sample at most.

    Attributes:
        order: Position to key.
        epoch_size: Samples in an epoch over all ranks.
        batch_size: Samples in a batch of one rank.
        rank: This rank.
        world_size: Number of ranks.
        epoch: The epoch that the next iteration yields.
        first_batch: The batch it starts with.
    """

    order: Order
    epoch_size: int
    batch_size: int
    rank: int
    world_size: int
    epoch: int = field(default=0, compare=False)
    first_batch: int = field(default=0, compare=False)

    @property
    def global_batch_size(self) -> int:
        """Samples in a full batch over all ranks."""
        return self.batch_size * self.world_size

    def __len__(self) -> int:
        return -(-self.epoch_size // self.global_batch_size)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for batch in range(self.first_batch, len(self)):
            keys = self.keys(self.epoch, batch)
            if keys:
                yield keys

    def keys(self, epoch: int, batch: int) -> list[SampleKey]:
        """The keys of one batch on this rank."""
        start = batch * self.global_batch_size
        size = min(self.global_batch_size, self.epoch_size - start)
        first, last = size * self.rank // self.world_size, size * (self.rank + 1) // self.world_size
        offset = epoch * self.epoch_size + start
        return [self.order.at(offset + i) for i in range(first, last)]
