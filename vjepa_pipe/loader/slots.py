"""Which batches of a mix hold images, and which videos: arithmetic on slots.

A slot is one batch of one rank: slot n is that of rank n % world_size at step n // world_size, steps counted over the
whole run. Each slot is filled with the next batch of one of the two streams, in order.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction

from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.epoch import exact_share
from vjepa_pipe.config.errors import ConfigError, counted
from vjepa_pipe.config.image import IMAGE, VIDEO, ImageStreamConfig


@dataclass(frozen=True)
class Slots(ABC):
    """The slots of a run.

    Attributes:
        world_size: Number of ranks.
    """

    world_size: int

    @property
    @abstractmethod
    def share(self) -> Fraction:
        """Share of the slots that hold images."""

    @property
    @abstractmethod
    def fixed(self) -> bool:
        """Whether each rank has the same stream at every step."""

    @abstractmethod
    def images_before(self, slot: int) -> int:
        """Batches of images in the slots before one."""

    @abstractmethod
    def slot_of(self, modality: str, batch: int) -> int:
        """The slot of a batch of a stream, counted from 0 over the run: the inverse of `before`."""

    def before(self, modality: str, slot: int) -> int:
        """Batches of a stream in the slots before one."""
        images = self.images_before(slot)
        return images if modality == IMAGE else slot - images

    def modality(self, slot: int) -> str:
        """The stream that fills a slot."""
        return IMAGE if self.images_before(slot + 1) > self.images_before(slot) else VIDEO


@dataclass(frozen=True)
class StrictSlots(Slots):
    """Images in every slot at which their exact share of all slots so far reaches the next whole number.

    The first n slots hold floor(n * share) batches of images, so which batch stands in a slot does not depend on the
    number of ranks. Where world_size * share is whole, each rank keeps its stream: with 16 ranks and a share of 1/4,
    ranks 3, 7, 11 and 15 have images, two on each node of 8.
    """

    of_images: Fraction

    @property
    def share(self) -> Fraction:
        """See `Slots.share`."""
        return self.of_images

    @property
    def fixed(self) -> bool:
        """See `Slots.fixed`."""
        return (self.world_size * self.share).denominator == 1

    def images_before(self, slot: int) -> int:
        """See `Slots.images_before`."""
        return slot * self.share.numerator // self.share.denominator

    def slot_of(self, modality: str, batch: int) -> int:
        """See `Slots.slot_of`."""
        images, all_ = self.share.as_integer_ratio()
        # Image m is in the first slot n with (n + 1) * share >= m + 1, video k in the last with n * (1 - share) <= k.
        return -(-(batch + 1) * all_ // images) - 1 if modality == IMAGE else batch * all_ // (all_ - images)


@dataclass(frozen=True)
class ReferenceSlots(Slots):
    """Images on the first ranks, as published: `app/vjepa_2_1/train.py`, those below `int(world_size * rank_ratio)`."""

    image_ranks: int

    @property
    def share(self) -> Fraction:
        """See `Slots.share`."""
        return Fraction(self.image_ranks, self.world_size)

    @property
    def fixed(self) -> bool:
        """See `Slots.fixed`."""
        return True

    def images_before(self, slot: int) -> int:
        """See `Slots.images_before`."""
        step, rank = divmod(slot, self.world_size)
        return step * self.image_ranks + min(rank, self.image_ranks)

    def slot_of(self, modality: str, batch: int) -> int:
        """See `Slots.slot_of`."""
        first, ranks = (0, self.image_ranks) if modality == IMAGE else (self.image_ranks, self._video_ranks)
        step, place = divmod(batch, ranks)
        return step * self.world_size + first + place

    @property
    def _video_ranks(self) -> int:
        return self.world_size - self.image_ranks


def slots_of(image: ImageStreamConfig, world_size: int) -> Slots:
    """The slots that a mix's share and convention ask for.

    Raises:
        ConfigError: If the share is less than one of the ranks, with `reference`.
    """
    if image.convention == "strict":
        return StrictSlots(world_size, exact_share(image))
    image_ranks = int(world_size * image.share)
    if not image_ranks:
        ranks = next(ranks for ranks in itertools.count(math.ceil(1 / image.share)) if int(ranks * image.share))
        raise ConfigError([
            f"image.share={image.share:g} is less than one of {counted(world_size, 'rank')}, which "
            "image.convention=reference gives images alone: set image.convention=strict"
            + (f", image.share={math.ceil(10**6 / world_size) / 10**6:g} or more" if world_size > 1 else "")
            + f", or start at least {ranks} ranks"
        ])  # fmt: skip
    return ReferenceSlots(world_size, image_ranks)


def video_batch_size(data: DataConfig, slots: Slots) -> int:
    """Clips in a batch of videos: with `reference`, the ranks of videos share those that all ranks would have.

    Raises:
        ConfigError: If these are no whole batches.
    """
    if not isinstance(slots, ReferenceSlots):
        return data.batch_size
    world_size, video_ranks = slots.world_size, slots.world_size - slots.image_ranks
    size = Fraction(data.batch_size * world_size, video_ranks)
    whole = data.repeated_sampling
    if size % whole:
        unit = video_ranks * whole // math.gcd(world_size, video_ranks * whole)
        of = f"multiple of data.repeated_sampling={whole}" if whole > 1 else "whole number"
        raise ConfigError([
            f"data.batch_size={data.batch_size} on {world_size} ranks, of which image.convention=reference leaves "
            f"{video_ranks} to videos, gives each of them {float(size):.4g} clips, which is no {of}: set "
            f"data.batch_size={-(-data.batch_size // unit) * unit}, or image.convention=strict"
        ])  # fmt: skip
    return int(size)
