"""MixedDataset: videos and images as one dataset, each read as it is by itself."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.image import IMAGE, VIDEO
from vjepa_pipe.datasets.bad import BadSample
from vjepa_pipe.datasets.keyed import KeyedDataset, samples_of
from vjepa_pipe.sampling import SampleKey
from vjepa_pipe.transforms import ClipParams


class MixedDataset(KeyedDataset):
    """The sources of videos, then those of images. Each sample is that of its own dataset, and says its `modality`.

    In keys, quarantine and reports sources have the numbers that they have here; whatever is drawn for a sample is
    drawn from its key in its own dataset.

    Args:
        videos: Whose transform, bad-sample policy and decoder are its own.
        images: Likewise.

    Raises:
        ConfigError: A source of videos and one of images have the same name.

    Attributes:
        streams: The two datasets, by the modality of their samples.
    """

    def __init__(self, videos: KeyedDataset, images: KeyedDataset) -> None:
        names = {rows.name for rows in videos.sources}
        if both := [rows.name for rows in images.sources if rows.name in names]:
            raise ConfigError([
                f"image.data.source_names must tell images from videos: both have a source {both[0]}; for example "
                f"image.data.source_names=[{','.join(f'images_{i}' for i in range(len(images.sources)))}]"
            ])  # fmt: skip
        super().__init__([*videos.sources, *images.sources], None, videos.seed, "raise", 0)
        self.lists = [*_lists(videos), *_lists(images)]
        self.streams = {VIDEO: videos, IMAGE: images}
        self._parts = _Part(self, VIDEO, videos, 0), _Part(self, IMAGE, images, len(videos.sources))
        for part in self._parts:
            self.quarantine |= {(source + part.first, row) for source, row in part.dataset.quarantine}
            own: Any = part.dataset
            own.quarantine, own.on_read, own.on_drawn = _Quarantine(part), part.on_read, part.on_drawn

    def own(self, key: SampleKey) -> tuple[KeyedDataset, SampleKey]:
        """The dataset that a sample is of, and its key there."""
        part = self._part(key.source)
        return part.dataset, part.inside(key)

    def modality_of(self, source: int) -> str:
        """See `KeyedDataset.modality_of`."""
        return self._part(source).modality

    def repeats_of(self, source: int) -> int:
        """See `KeyedDataset.repeats_of`."""
        part = self._part(source)
        return part.dataset.repeats_of(source - part.first)

    def read_together(
        self, keys: Sequence[SampleKey], places: Sequence[torch.Tensor | None] | None = None
    ) -> list[dict[str, Any]]:
        """See `KeyedDataset.read_together`."""
        part = self._part(keys[0].source)
        inside = [part.inside(key) for key in keys]
        return [
            {**sample, "key": part.outside(sample.get("key", key)), "modality": part.modality}
            for key, sample in zip(inside, samples_of(part.dataset, inside, places), strict=True)
        ]

    def sample(self, key: SampleKey) -> dict[str, Any]:
        """See `KeyedDataset.sample`."""
        dataset, own = self.own(key)
        return dataset.sample(own)

    def read(self, key: SampleKey) -> Any:
        """See `KeyedDataset.read`."""
        dataset, own = self.own(key)
        return dataset.read(own)

    @property
    def plans(self) -> bool:
        """See `KeyedDataset.plans`."""
        return any(part.dataset.plans for part in self._parts)

    def plan(self, keys: Sequence[SampleKey]) -> None:
        """See `KeyedDataset.plan`."""
        for part in self._parts:
            if part.dataset.plans:
                part.dataset.plan([part.inside(key) for key in keys if self._part(key.source) is part])

    def check_known(self, source: int, row: int) -> None:
        """See `KeyedDataset.check_known`."""
        part = self._part(source)
        part.dataset.check_known(source - part.first, row)

    def augmentation_rng(self, key: SampleKey, clip: int = 0) -> np.random.Generator:
        """See `KeyedDataset.augmentation_rng`."""
        dataset, own = self.own(key)
        return dataset.augmentation_rng(own, clip)

    def describe_bad(self, source: int, row: int, error: str, reason: str) -> BadSample:
        """See `KeyedDataset.describe_bad`."""
        part = self._part(source)
        return part.dataset.describe_bad(source - part.first, row, error, reason)

    def _part(self, source: int) -> _Part:
        videos, images = self._parts
        return images if source >= images.first else videos


@dataclass(eq=False)
class _Part:
    """One of the datasets of a mix.

    Attributes:
        mix: Where it is one.
        modality: What its samples are.
        dataset: Whose sources are numbered from 0.
        first: Number of the first of them in the mix.
    """

    mix: MixedDataset
    modality: str
    dataset: KeyedDataset
    first: int

    def inside(self, key: SampleKey) -> SampleKey:
        """A key of the mix, in the dataset."""
        return key._replace(source=key.source - self.first)

    def outside(self, key: SampleKey) -> SampleKey:
        """A key of the dataset, in the mix."""
        return key._replace(source=key.source + self.first)

    def on_read(self, key: SampleKey) -> None:
        """Tell whoever asks the mix."""
        self.mix.on_read(self.outside(key))

    def on_drawn(self, key: SampleKey, clip: int, shape: Sequence[int], params: ClipParams) -> None:
        """Tell whoever asks the mix."""
        self.mix.on_drawn(self.outside(key), clip, shape, params)


class _Quarantine(Container[tuple[int, int]]):
    """The quarantine of a mix, as one of its datasets asks for it."""

    def __init__(self, part: _Part) -> None:
        self._part = part

    def __contains__(self, pair: Any) -> bool:
        source, row = pair
        return (source + self._part.first, row) in self._part.mix.quarantine


def _lists(dataset: KeyedDataset) -> list[str]:
    """The list of each source; empty where its dataset does not say."""
    said = list(dataset.lists)
    return [*said, *[""] * (len(dataset.sources) - len(said))]
