"""Which keys make up which batch, on which rank: arithmetic on positions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import NamedTuple, Protocol

from vjepa_pipe.config.errors import counted
from vjepa_pipe.loader.state import LoaderState, StateError
from vjepa_pipe.sampling import SampleKey, SequentialOrder


class Order(Protocol):
    """Which sample stands at a position of the run."""

    def at(self, position: int) -> SampleKey:
        """The key at a global position, counted from the start of the run."""

    def positions(self, source: int, row: int, epoch: int) -> list[int]:
        """The positions of an epoch at which a row stands, rising: the inverse of `at`."""


class GlobalBatch(NamedTuple):
    """One batch of all ranks together.

    Attributes:
        step: Batches before it in the run.
        first: Its first position.
        size: Its samples; the last batch of an epoch may be smaller than the others.
    """

    step: int
    first: int
    size: int


class Positions(Protocol):
    """Where clips stand in batches of all ranks: what their masks depend on."""

    def at(self, position: int) -> SampleKey:
        """The key at a position of the run."""

    def containing(self, position: int) -> GlobalBatch:
        """The batch of all ranks that holds a position of the run."""


class Schedule(Protocol):
    """The batches of one rank, epoch after epoch. Samples are counted in full batches of `batch_size`."""

    @property
    def batch_size(self) -> int:
        """Samples in a batch of one rank."""

    @property
    def rank(self) -> int:
        """This rank."""

    @property
    def world_size(self) -> int:
        """Number of ranks."""

    @property
    def epoch_size(self) -> int:
        """Samples in an epoch over all ranks."""

    @property
    def global_batch_size(self) -> int:
        """Samples in a full batch over all ranks."""

    @property
    def samples_here(self) -> int:
        """Samples of this rank in an epoch."""

    @property
    def shuffled(self) -> bool:
        """Whether samples come in another order than their rows."""

    def __len__(self) -> int:
        """Batches in an epoch."""

    def global_batch(self, epoch: int, batch: int) -> GlobalBatch:
        """The batch that all ranks share."""

    def of_row(self, source: int, row: int, epoch: int) -> Iterator[tuple[int, int, int]]:
        """For each sample of a row in an epoch: the batch, the rank, and its place in that rank's batch."""

    def batches(self, epoch: int, first: int = 0) -> Iterator[list[SampleKey]]:
        """The batches of an epoch on this rank, from number `first` on."""

    def keys(self, epoch: int, batch: int) -> list[SampleKey]:
        """The keys of one batch on this rank."""

    def place_of(self, saved: LoaderState) -> tuple[int, int]:
        """The epoch and the batch in it at which the run of a state goes on.

        Raises:
            StateError: If the state does not end on a whole batch here.
        """


@dataclass(frozen=True)
class BatchSchedule:
    """The batches of one rank, epoch after epoch.

    Batch b of an epoch holds `batch_size * world_size` consecutive positions; each rank takes an equal
    run of them, so the global batch is the same whatever the number of ranks. The last batch of an
    epoch may be smaller; then ranks differ by one sample at most.

    With repeated sampling the order is one of rows: the row at its place n gives the samples at the k positions from
    k * n on, which are in one batch of one rank. Batch size and epoch size are multiples of k, and ranks differ
    by k samples at most.

    Attributes:
        order: Position to key; with repeated sampling, place of a row to key.
        epoch_size: Samples in an epoch over all ranks.
        batch_size: Samples in a batch of one rank.
        rank: This rank.
        world_size: Number of ranks.
        repeats: Samples that each row in the order gives, k.
    """

    order: Order
    epoch_size: int
    batch_size: int
    rank: int
    world_size: int
    repeats: int = 1

    @property
    def global_batch_size(self) -> int:
        """Samples in a full batch over all ranks."""
        return self.batch_size * self.world_size

    @property
    def samples_here(self) -> int:
        """Samples of this rank in an epoch."""
        batches, rest = divmod(self.epoch_size, self.global_batch_size)
        return batches * self.batch_size + len(self._share(rest))

    @property
    def shuffled(self) -> bool:
        """Whether samples come in another order than their rows."""
        return not isinstance(self.order, SequentialOrder)

    def __len__(self) -> int:
        return -(-self.epoch_size // self.global_batch_size)

    def at(self, position: int) -> SampleKey:
        """The key at a position of the run."""
        return key_at(self.order, position, self.repeats)

    def global_batch(self, epoch: int, batch: int) -> GlobalBatch:
        """The batch that all ranks share."""
        start = batch * self.global_batch_size
        size = min(self.global_batch_size, self.epoch_size - start)
        return GlobalBatch(epoch * len(self) + batch, epoch * self.epoch_size + start, size)

    def containing(self, position: int) -> GlobalBatch:
        """The batch of all ranks that holds a position of the run."""
        epoch, place = divmod(position, self.epoch_size)
        return self.global_batch(epoch, place // self.global_batch_size)

    def of_row(self, source: int, row: int, epoch: int) -> Iterator[tuple[int, int, int]]:
        """Where a row stands in an epoch.

        Yields:
            For each sample of it: the batch, the rank, and the sample's place in that rank's batch.
        """
        for found in self.order.positions(source, row, epoch):
            for position in range(found * self.repeats, (found + 1) * self.repeats):
                batch, place = divmod(position - epoch * self.epoch_size, self.global_batch_size)
                rows = self.global_batch(epoch, batch).size // self.repeats
                rank = ((place // self.repeats + 1) * self.world_size - 1) // rows  # the inverse of `_share`
                yield batch, rank, place - rows * rank // self.world_size * self.repeats

    def batches(self, epoch: int, first: int = 0) -> Iterator[list[SampleKey]]:
        """The batches of an epoch on this rank, from number `first` on.

        Where the last global batch has fewer samples than there are ranks, some ranks have one batch fewer.
        """
        for batch in range(first, len(self)):
            keys = self.keys(epoch, batch)
            if keys:
                yield keys

    def keys(self, epoch: int, batch: int) -> list[SampleKey]:
        """The keys of one batch on this rank."""
        whole = self.global_batch(epoch, batch)
        return [self.at(whole.first + place) for place in self._share(whole.size)]

    def place_of(self, saved: LoaderState) -> tuple[int, int]:
        """See `Schedule.place_of`."""
        return place_of(saved, self)

    def _share(self, size: int) -> range:
        """This rank's places in a batch of all ranks of this size."""
        rows = size // self.repeats
        return range(*(rows * rank // self.world_size * self.repeats for rank in (self.rank, self.rank + 1)))


def key_at(order: Order, position: int, repeats: int) -> SampleKey:
    """The key at a position of the run, where each row in the order gives `repeats` samples."""
    key = order.at(position // repeats)
    return key if repeats == 1 else key._replace(position=position)


def place_of(saved: LoaderState, here: Schedule) -> tuple[int, int]:
    """The epoch and the batch in it at which the run of a state goes on: see `Schedule.place_of`."""
    size = here.global_batch_size
    if saved.position >= here.epoch_size:
        return saved.epoch + 1, 0
    if saved.position % size:
        raise StateError(
            f"the state stands at sample {saved.position} of its epoch (batches of {saved.global_batch_size} on "
            f"{counted(saved.world_size, 'rank')}), not at the end of a batch of {size} = data.batch_size="
            f"{here.batch_size} x {counted(here.world_size, 'rank')}"
        )
    return saved.epoch, saved.position // size


def with_turns(
    batches: Iterable[list[SampleKey]], modality_of: Callable[[int], str]
) -> Iterator[tuple[int, list[SampleKey]]]:
    """Each batch with its number among those of its modality: by that, workers take turns.

    So each of them has its share of both streams of a mix, however these follow each other.

    Args:
        batches: Of a rank.
        modality_of: The modality of a source.
    """
    turns: dict[str, Iterator[int]] = {}
    for keys in batches:
        yield next(turns.setdefault(modality_of(keys[0].source), count())), keys


def with_later(
    batches: Iterator[tuple[int, list[SampleKey]]], workers: int, ahead: int
) -> Iterator[tuple[int, list[SampleKey], list[SampleKey]]]:
    """Each batch with the keys of later ones that its worker is given: of the next `ahead` that each worker has.

    Args:
        batches: With their turns.
        workers: How many take turns.
        ahead: Batches.
    """
    window = deque(islice(batches, workers * ahead + 1))
    while window:
        turn, keys = window.popleft()
        yield turn, keys, [key for other, later in window if (other - turn) % workers == 0 for key in later]
        window.extend(islice(batches, 1))
