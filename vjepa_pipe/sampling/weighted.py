"""Weighted sampling over ranks, in the form a `torch.utils.data.DataLoader` takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from vjepa_pipe.sampling.distributed import rank_and_world
from vjepa_pipe.sampling.key import KeyedIndex
from vjepa_pipe.sampling.order import SampleOrder


class DistributedWeightedSampler:
    """Yields the rows that this rank loads in an epoch, each as often as its weight asks.

    Over all ranks together, at every epoch's end each row has been drawn floor or ceil of its expected
    number of times (`num_samples * weight / sum(weights)` an epoch) over the run so far, and less than
    two from it in any one epoch. What an epoch costs does not depend on which it is. With equal
    weights and the default `num_samples`, that is every row exactly once per epoch. With fewer
    samples than rows, the rows left out of one epoch come first in the next.

    A row is a `KeyedIndex`: an int that tells a `VideoDataset` the seed, the epoch and the position to draw
    its window and crop from, so these change with the epoch in any DataLoader.

    Rank r of W takes positions r, r + W, r + 2W, ... of the epoch, so no position is on two ranks,
    none is left out and none is added as padding: the lengths of two ranks differ by at most one.
    The epoch's sequence over all ranks does not depend on W.

    Samples of equal weight are one source of a `SampleOrder`; the cost of an epoch grows with the
    number of different weights, not with the number of rows.

    Args:
        weights: `[rows]` weights, in any unit; zero means never.
        num_samples: Samples in an epoch over all ranks; unset: as many as there are rows.
        rank: This process, from 0 to world_size - 1; unset: `rank_and_world`.
        world_size: How many processes share an epoch; unset: `rank_and_world`.
        seed: From 0 to 2**63 - 1.

    Raises:
        ValueError: An argument is out of range; the text names it.

    Attributes:
        epoch: The epoch that iteration yields. As in torch, it stays until `set_epoch` is called:
            two passes without it yield the same rows.
    """

    def __init__(
        self,
        weights: Sequence[float] | npt.NDArray[Any],
        num_samples: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        seed: int = 0,
    ) -> None:
        row_weights = _checked(weights)
        found_rank, found_world = (0, 1) if rank is not None and world_size is not None else rank_and_world()
        self.rank = found_rank if rank is None else rank
        self.world_size = found_world if world_size is None else world_size
        if self.world_size < 1:
            raise ValueError(f"world_size must be >= 1 (got {self.world_size})")
        if not 0 <= self.rank < self.world_size:
            raise ValueError(f"rank must be from 0 to {self.world_size - 1} (got {self.rank})")
        self.num_samples = len(row_weights) if num_samples is None else num_samples
        if self.num_samples < 1:
            raise ValueError(f"num_samples must be >= 1 (got {self.num_samples})")
        self.epoch = 0

        values, group_of_row, sizes = np.unique(row_weights, return_inverse=True, return_counts=True)
        self._rows_by_group = np.argsort(group_of_row, kind="stable")
        self._group_starts = np.cumsum(sizes) - sizes
        group_weights = [
            Fraction(repr(value)) * size for value, size in zip(values.tolist(), sizes.tolist(), strict=True)
        ]
        self._order = SampleOrder(group_weights, sizes.tolist(), self.num_samples, seed)

    def __len__(self) -> int:
        return len(self._positions())

    def __iter__(self) -> Iterator[KeyedIndex]:
        for position in self._positions():
            key = self._order.at(position)
            row = int(self._rows_by_group[self._group_starts[key.source] + key.row])
            yield KeyedIndex(row, key.seed, key.epoch, key.position)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields.

        Args:
            epoch: From 0.

        Raises:
            ValueError: `epoch` is negative.
        """
        if epoch < 0:
            raise ValueError(f"epoch must be >= 0 (got {epoch})")
        self.epoch = epoch

    def _positions(self) -> range:
        start = self.epoch * self.num_samples
        return range(start + self.rank, start + self.num_samples, self.world_size)


def _checked(weights: Sequence[float] | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"weights must be a list of at least one number (got shape {array.shape})")
    wrong = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if wrong.size:
        raise ValueError(f"weights[{wrong[0]}] must be finite and >= 0 (got {array[wrong[0]]})")
    if not array.any():
        raise ValueError(f"weights must not all be zero (got {array.size} of them)")
    return array
