"""Which keys make up which batch of a mix of videos and images: arithmetic on slots and positions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vjepa_pipe.config.image import IMAGE, VIDEO
from vjepa_pipe.loader.schedule import GlobalBatch, Order, key_at, place_of
from vjepa_pipe.loader.slots import Slots
from vjepa_pipe.loader.state import LoaderState, StateError
from vjepa_pipe.sampling import SampleKey


@dataclass(frozen=True)
class StreamSchedule:
    """The batches of one stream, on all ranks. They are counted over the run, so that none is lost where an epoch ends.

    Batch m holds the positions of the stream from m * batch_size on.

    Attributes:
        order: Position to key; with repeated sampling, place of a row to key.
        order_epoch: Places in an epoch of the order, which need not end with one of the run.
        batch_size: Samples in a batch of one rank.
        slots: Which slots the batches stand in.
        modality: Which of the streams it is.
        first_source: Number of its first source among those of the mix.
        repeats: Samples that each row in the order gives.
    """

    order: Order
    order_epoch: int
    batch_size: int
    slots: Slots
    modality: str
    first_source: int = 0
    repeats: int = 1

    def at(self, position: int) -> SampleKey:
        """The key at a position of the stream, with the number that the source has in the stream alone."""
        return key_at(self.order, position, self.repeats)

    def containing(self, position: int) -> GlobalBatch:
        """The batches of the step that holds a position of the stream, of all ranks that have this stream then."""
        slot = self.slots.slot_of(self.modality, position // self.batch_size)
        return self.at_step(slot // self.slots.world_size)

    def at_step(self, step: int) -> GlobalBatch:
        """The batches of a step of the run, of all ranks that have this stream then."""
        world_size = self.slots.world_size
        first, end = (self.slots.before(self.modality, one * world_size) for one in (step, step + 1))
        return GlobalBatch(step, first * self.batch_size, (end - first) * self.batch_size)

    def keys(self, slot: int) -> list[SampleKey]:
        """The keys of the batch in a slot of this stream, with the numbers that sources have in the mix."""
        first = self.slots.before(self.modality, slot) * self.batch_size
        keys = (self.at(position) for position in range(first, first + self.batch_size))
        return [key._replace(source=key.source + self.first_source) for key in keys]

    def of_row(self, source: int, row: int, slots: range) -> Iterator[tuple[int, int]]:
        """For each sample of a row in a run of slots: the slot, and the sample's place in its batch.

        Args:
            source: In the stream alone.
            row: Of the source.
            slots: Consecutive ones.
        """
        first, end = (self.slots.before(self.modality, slot) * self.batch_size for slot in (slots.start, slots.stop))
        rows = range(first // self.repeats, end // self.repeats)
        for epoch in range(rows.start // self.order_epoch, -(-rows.stop // self.order_epoch)):
            for found in self.order.positions(source, row, epoch):
                for position in range(found * self.repeats, (found + 1) * self.repeats) if found in rows else ():
                    batch, place = divmod(position, self.batch_size)
                    yield self.slots.slot_of(self.modality, batch), place


@dataclass(frozen=True)
class MixedSchedule:
    """The batches of one rank of a mix: of videos where its slot holds videos, else of images. See `Schedule`.

    Places are counted as if every batch were one of `batch_size` videos, so the size of an epoch is not the number of
    its videos: that is the share of them, on average.

    Attributes:
        streams: The batches of each stream, by its modality.
        steps: Batches of a rank in an epoch.
        batch_size: `data.batch_size`, by which places are counted.
        rank: This rank.
    """

    streams: Mapping[str, StreamSchedule]
    steps: int
    batch_size: int
    rank: int

    @property
    def slots(self) -> Slots:
        """Which stream fills which batch."""
        return self.streams[VIDEO].slots

    @property
    def world_size(self) -> int:
        """Number of ranks."""
        return self.slots.world_size

    @property
    def global_batch_size(self) -> int:
        """See `Schedule.global_batch_size`."""
        return self.batch_size * self.world_size

    @property
    def epoch_size(self) -> int:
        """See `Schedule.epoch_size`."""
        return self.steps * self.global_batch_size

    @property
    def samples_here(self) -> int:
        """See `Schedule.samples_here`."""
        return self.steps * self.batch_size

    @property
    def shuffled(self) -> bool:
        """See `Schedule.shuffled`."""
        return True

    @property
    def modality(self) -> str | None:
        """The stream that this rank has at every step; None if it changes."""
        return self.slots.modality(self.rank) if self.slots.fixed else None

    def __len__(self) -> int:
        return self.steps

    def stream(self, epoch: int, batch: int) -> StreamSchedule:
        """The stream that a batch of this rank is of."""
        return self.streams[self.slots.modality(self._slot(epoch, batch))]

    def global_batch(self, epoch: int, batch: int) -> GlobalBatch:
        """The batches of all ranks that have the same stream as this one then; its positions are of that stream."""
        return self.stream(epoch, batch).at_step(epoch * self.steps + batch)

    def of_row(self, source: int, row: int, epoch: int) -> Iterator[tuple[int, int, int]]:
        """See `Schedule.of_row`."""
        images = self.streams[IMAGE]
        stream = images if source >= images.first_source else self.streams[VIDEO]
        first = epoch * self.steps * self.world_size
        slots = range(first, first + self.steps * self.world_size)
        for slot, place in stream.of_row(source - stream.first_source, row, slots):
            yield (*divmod(slot - first, self.world_size), place)

    def batches(self, epoch: int, first: int = 0) -> Iterator[list[SampleKey]]:
        """See `Schedule.batches`."""
        return (self.keys(epoch, batch) for batch in range(first, self.steps))

    def keys(self, epoch: int, batch: int) -> list[SampleKey]:
        """See `Schedule.keys`."""
        return self.stream(epoch, batch).keys(self._slot(epoch, batch))

    def place_of(self, saved: LoaderState) -> tuple[int, int]:
        """See `Schedule.place_of`. The images must go on where they were, too.

        Raises:
            StateError: If the state does not end on a whole batch here, of videos and of images.
        """
        place = place_of(saved, self)
        then, here = max(saved.global_batch_size // max(saved.world_size, 1), 1), self.batch_size
        position = saved.epoch * self.epoch_size + saved.position
        were, are = (int(position // size * self.slots.share) * size for size in (then, here))
        if were != are:
            whole = math.lcm(then, here) * self.slots.share.denominator
            raise StateError(
                f"the state stands within a batch of images: of the {position} samples before it, {were} were in "
                f"batches of images with data.batch_size={then}, and {are} are with data.batch_size={here}; take a "
                f"state before which a multiple of {whole} samples stand"
            )
        return place

    def _slot(self, epoch: int, batch: int) -> int:
        return (epoch * self.steps + batch) * self.world_size + self.rank
