"""The samples of one rank as torch samplers, and how far the rank has come in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch.utils.data import BatchSampler, Dataset, DistributedSampler

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.loader.schedule import Schedule
from vjepa_pipe.sampling import SampleKey


class Place(NamedTuple):
    """The batch of an epoch that comes next, from 0."""

    epoch: int
    batch: int


class RankSampler(DistributedSampler[Any]):
    """The keys of one rank, epoch after epoch, and the place after the last batch handed out.

    It is a `DistributedSampler`, by which Lightning and Fabric know that the ranks have their shares already.
    Iterating it shows the keys of the next pass and changes nothing. Its length, of a mix of videos and images, counts
    `batch_size` keys for each batch, so that it is that many times the length of the loader.

    Attributes:
        epoch: The epoch of the place.
        batch: The batch of the place; 0 as soon as the epoch's last batch was handed out.
        steps: Batches that each rank was handed before the place, since the run began.

    Args:
        dataset: What the keys are of.
        schedule: Which keys make up which batch.
        seed: The experiment's.
        drop_last: Whether the epoch was cut to whole batches.
    """

    def __init__(self, dataset: Dataset[Any], schedule: Schedule, seed: int, drop_last: bool) -> None:
        super().__init__(dataset, schedule.world_size, schedule.rank, schedule.shuffled, seed, drop_last)
        self.schedule = schedule
        self.num_samples, self.total_size = schedule.samples_here, schedule.epoch_size
        self._batches = -(-self.num_samples // schedule.batch_size)
        self.batch = self.steps = 0
        self._asked: Place | None = None  # where the next pass has to begin

    def __iter__(self) -> Iterator[SampleKey]:
        for keys in self.schedule.batches(*self.next_place):
            yield from keys

    @property
    def next_place(self) -> Place:
        """Where the next pass begins: where it was asked to, else after the epoch of the last pass."""
        if self._asked is not None:
            return self._asked
        return Place(self.epoch + 1, 0) if self.batch else Place(self.epoch, 0)

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass yield this epoch, unless it would by itself yield a later one.

        Trainers count epochs of their own: from 0 again after a resume (Fabric), or one for several passes
        (vjepa2). Their samples go on all the same; `ClipLoader.set_epoch` goes back too.
        """
        if epoch > self.next_place.epoch:
            self.go_to(Place(epoch, 0))

    def ask_for(self, epoch: int) -> None:
        """Make the next pass yield this epoch, from its start or from where a state was loaded in it."""
        if self._asked is None or self._asked.epoch != epoch:
            self.go_to(Place(epoch, 0))

    def go_to(self, place: Place) -> None:
        """Make the next pass begin here."""
        if place.batch >= self._batches:
            place = Place(place.epoch + 1, 0)
        self.epoch, self.batch = self._asked = place

    def begin(self) -> Place:
        """Begin a pass; the same one again if no batch of it is handed out."""
        self.go_to(self.next_place)
        return self.next_place

    def hand_out(self, begun: Place, batch: int) -> None:
        """Note that a batch of the pass begun there was handed out; the last one ends the epoch."""
        if self._asked is begun:
            self._asked = None
        ended = batch + 1 == self._batches
        self.steps += len(self.schedule) - batch if ended else 1  # a rank may have no sample of an epoch's last batch
        self.epoch, self.batch = (self._asked or Place(begun.epoch + 1, 0)) if ended else Place(begun.epoch, batch + 1)


class KeyBatches(BatchSampler):
    """The keys of a rank's batches. Trainers that make a sampler of their own stop here, before a sample is lost.

    Batches are those of the sampler's schedule, which in a mix of videos and images differ in size.

    Args:
        sampler: The rank's keys.
        batch_size: Keys in a batch.
        drop_last: Whether a smaller last batch is left out.

    Raises:
        UserError: If the sampler is not a loader's own.
    """

    def __init__(self, sampler: RankSampler, batch_size: int, drop_last: bool) -> None:
        if not isinstance(sampler, RankSampler):
            raise UserError(
                f"a trainer tried to replace the sampler of a ClipLoader by {type(sampler).__name__}, which would lose "
                "or repeat samples: give the trainer device_prefetch(loader, device) instead, which it takes as it is"
            )
        super().__init__(sampler, batch_size, drop_last)

    def __iter__(self) -> Iterator[list[Any]]:
        sampler: Any = self.sampler
        return iter(sampler.schedule.batches(*sampler.next_place))
