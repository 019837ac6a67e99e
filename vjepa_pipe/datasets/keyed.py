"""What every dataset shares: keys, and what happens to a sample that cannot be read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from vjepa_pipe.config.errors import ConfigError, SampleError, UserError
from vjepa_pipe.config.image import VIDEO
from vjepa_pipe.config.instantiate import parameters_of
from vjepa_pipe.config.loader import BAD_SAMPLE_POLICIES
from vjepa_pipe.config.protocols import PAGE
from vjepa_pipe.config.urls import shown_path
from vjepa_pipe.datasets.bad import BadSample, Quarantined, SampleSkipped, none_readable, replacements
from vjepa_pipe.figures import Figures
from vjepa_pipe.sampling import ConcatIndices, KeyedIndex, SampleKey, generator
from vjepa_pipe.transforms import ClipParams, TrainTransform, next_clip_at

Transform = Callable[..., torch.Tensor]

CLIP = "a dense tensor [C, T, H, W], floating point or uint8"
"""What stands under `video`."""


class Source(Protocol):
    """The rows of one source, whatever they are rows of."""

    @property
    def name(self) -> str:
        """What samples and reports call it."""

    def __len__(self) -> int: ...

    def path(self, i: int) -> str:
        """Where row `i` is, for reports."""


class KeyedDataset(Dataset[dict[str, Any]]):
    """A dataset whose sample is a pure function of its key.

    `dataset[i]` takes a row number, or a `SampleKey` or `KeyedIndex` from a sampler. Everything that is drawn for the
    sample is drawn from generators made from the key, so it does not matter in which process, or how
    often, it is read.

    Args:
        sources: The rows of each source.
        transform: Called with uint8 `[T, H, W, 3]` and `rng=` if it has such a parameter; any other
            callable, such as a torchvision v2 transform, gets uint8 `[T, 3, H, W]`.
        seed: Seed of the keys made for plain row numbers.
        on_bad_sample: `replace` a sample that cannot be read by another row of the same source, `raise` its
            error, or raise `SampleSkipped`, on which a loader leaves it out (`skip`).
        max_replacements: Rows tried in place of a bad one.

    Raises:
        ValueError: If `on_bad_sample` is none of `bad_sample_policies`.

    Attributes:
        quarantine: Rows that count as bad without being opened: pairs of source and row.
        repeats: Samples of one row that follow each other in the run, the first at a multiple of their number. They are
            read together, and if the row is bad, another is read in place of all. A plain row number is read alone.
        lists: The file or folder that lists each source's rows, for reports; empty where nobody has said.
        on_read: Called with the key of each row before it is opened; lets a loader know what a worker that
            never comes back was reading.
        on_drawn: Called with what our transform draws for a clip: the key, the clip's number in the sample, the shape
            of its frames `[T, H, W, 3]`, and what was drawn.
    """

    bad_sample_policies: ClassVar[tuple[str, ...]] = tuple(p for p in BAD_SAMPLE_POLICIES if p != "zero_masked")

    def __init__(
        self,
        sources: Sequence[Source],
        transform: Transform | None,
        seed: int,
        on_bad_sample: str,
        max_replacements: int,
    ) -> None:
        if on_bad_sample not in self.bad_sample_policies:
            known = ", ".join(self.bad_sample_policies)
            raise ValueError(f"on_bad_sample must be one of {known} (got {on_bad_sample!r})")
        self.sources = sources
        self.transform = transform
        self.seed = seed
        self.on_bad_sample = on_bad_sample
        self.max_replacements = max_replacements
        self.repeats = 1
        self.quarantine: set[tuple[int, int]] = set()
        self.on_read: Callable[[SampleKey], None] = _ignore
        self.on_drawn: Callable[[SampleKey, int, Sequence[int], ClipParams], None] = _ignore
        self.lists: Sequence[str] = ()
        self.index = ConcatIndices([len(rows) for rows in sources])
        if transform is not None and not callable(transform):
            raise ConfigError([f"data_aug._target_: a transform must be callable (got {shown(transform)}; {PAGE})"])
        self._takes_rng = transform is not None and "rng" in parameters_of(transform)[0]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int | SampleKey) -> dict[str, Any]:
        if not isinstance(index, SampleKey):
            return self.read_together([self.key_of(index)])[0]
        first = self.first_of(index)
        keys = [first._replace(position=first.position + i) for i in range(self.repeats_of(index.source))]
        return self.read_together(keys)[index.position - first.position]

    def read_together(
        self, keys: Sequence[SampleKey], places: Sequence[torch.Tensor | None] | None = None
    ) -> list[dict[str, Any]]:
        """The samples of keys of one row, which another row stands in for if it cannot be read.

        Args:
            keys: All that have the same `first_of`.
            places: Where the clip of each may be written; unset: in memory of their own.

        Raises:
            SampleError: The row cannot be read, and `on_bad_sample` is `raise`.
            SampleSkipped: The same, and it is `skip`.
            TooManyBadSamples: No row tried in its place can be read either.
        """
        bad: list[BadSample] = []
        for row in self._candidates(keys[0]):
            tried = [key._replace(row=row) for key in keys]
            try:
                self.check_known(tried[0].source, row)
                self.on_read(tried[0])
                return [sample | {"replaced": bad} for sample in self._samples(tried, places or [None] * len(keys))]
            except SampleError as error:
                if self.on_bad_sample == "raise":
                    raise
                bad.append(self.describe_bad(tried[0].source, row, type(error).__name__, str(error)))
                if self.on_bad_sample == "skip":
                    raise SampleSkipped(bad[0]) from error
                if self.on_bad_sample == "zero_masked":
                    return [{**self.blank_sample(key), "key": key, "replaced": bad} for key in keys]
        raise none_readable(self.sources[keys[0].source].name, bad)

    def first_of(self, key: SampleKey) -> SampleKey:
        """The first of the keys that are read together with a key."""
        return key._replace(position=key.position - key.position % self.repeats_of(key.source))

    def repeats_of(self, source: int) -> int:  # noqa: ARG002 (those of a mix differ)
        """Samples of one row of a source that follow each other: see `repeats`."""
        return self.repeats

    def modality_of(self, source: int) -> str:  # noqa: ARG002 (those of a mix differ)
        """What the samples of a source are: `video`, or `image` in a mix."""
        return VIDEO

    @abstractmethod
    def sample(self, key: SampleKey) -> dict[str, Any]:
        """The sample of a key, without `key` and `replaced`.

        Raises:
            SampleError: If the row cannot be read.
        """

    def read(self, key: SampleKey) -> Any:
        """What the files of a key hold, before any transform; the whole sample where a dataset does not say.

        Raises:
            SampleError: If the row cannot be read.
        """
        return self.sample(key)

    def read_ahead(self, keys: Sequence[SampleKey]) -> None:
        """Called before the samples of several keys of one row are asked for, so that it can be opened once.

        Raises:
            SampleError: If the row cannot be read.
        """

    @property
    def plans(self) -> bool:
        """Whether `plan` does something."""
        return False

    def plan(self, keys: Sequence[SampleKey]) -> None:
        """Called in a worker with the keys that it will read next, in order, so that it can make requests ahead.

        Each call takes the place of the last; a key that was named before and is not any more will not be read.
        No sample differs for it, and no error comes from it.
        """

    def check_known(self, source: int, row: int) -> None:
        """Refuse a row that is known to be bad, without opening it.

        Raises:
            SampleError: One of those that `KNOWN_BAD` names.
        """
        if (source, row) in self.quarantine:
            raise Quarantined(f"{shown_path(self.sources[source].path(row))}: in the quarantine")

    def blank_sample(self, key: SampleKey) -> dict[str, Any]:
        """What stands for a row that cannot be read, in datasets with the policy `zero_masked`."""
        raise NotImplementedError(f"{type(self).__name__} has no blank sample for {key}")

    def key_of(self, index: int) -> SampleKey:
        """The key that `dataset[index]` uses for a row number: what it carries, or else the same in every epoch."""
        source, row = self.index[range(len(self))[index]]
        if isinstance(index, KeyedIndex):
            return SampleKey(index.seed, index.epoch, index.position, source, row)
        return SampleKey(self.seed, 0, int(index) % len(self), source, row)

    def augmentation_rng(self, key: SampleKey, clip: int = 0) -> np.random.Generator:
        """The generator that a key's augmentation draws from."""
        return generator(key, f"augment/{clip}")

    def describe_bad(self, source: int, row: int, error: str, reason: str) -> BadSample:
        """What reports say about a row that cannot be read."""
        rows = self.sources[source]
        path = shown_path(rows.path(row))
        return BadSample(rows.name, row, path, error, reason, self.decoder_of(path))

    def decoder_of(self, path: str) -> str:  # noqa: ARG002 (what a dataset may look at)
        """Name of the library that reads a file, for reports."""
        return ""

    def _candidates(self, key: SampleKey) -> Iterator[int]:
        yield key.row
        for other in replacements(key, len(self.sources[key.source]), self.max_replacements):
            yield other.row

    def _samples(self, keys: Sequence[SampleKey], places: Sequence[torch.Tensor | None]) -> list[dict[str, Any]]:
        if len(keys) > 1:
            self.read_ahead(keys)
        samples = []
        for key, place in zip(keys, places, strict=True):
            with next_clip_at(place):
                samples.append({**self.sample(key), "key": key})
        return samples

    def _transformed(self, frames: npt.NDArray[np.uint8], key: SampleKey, clip: int) -> tuple[torch.Tensor, Figures]:
        """A clip after the transform, and figures of what was drawn for it where the transform is ours."""
        if type(self.transform) is TrainTransform:  # a subclass may do something else when it is called
            drawn = self.transform.draw(self.augmentation_rng(key, clip), frames.shape)
            self.on_drawn(key, clip, frames.shape, drawn)
            height, width = frames.shape[1:3]
            return self.transform.apply(frames, drawn), drawn.figures(height, width, self.transform.crop.size)
        if self.transform is None:
            return torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2), {}
        if self._takes_rng:
            video = self.transform(frames, rng=self.augmentation_rng(key, clip))
        else:
            video = self.transform(torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2))
        if not is_clip(video):
            raise UserError(f"data_aug._target_: a transform must give {CLIP} (got {shown(video)}; {PAGE})")
        return video, {}


def samples_of(
    dataset: KeyedDataset, keys: Sequence[SampleKey], places: Sequence[torch.Tensor | None] | None = None
) -> list[dict[str, Any]]:
    """The samples of keys of one row, as `KeyedDataset.read_together`, or one by one where a subclass changes them."""
    if type(dataset).__getitem__ is KeyedDataset.__getitem__:
        return dataset.read_together(keys, places)
    return [dataset[key] for key in keys]


def is_clip(value: Any) -> bool:
    """Whether a value can stand under `video`: one clip, or several of one sample along the first axis."""
    return (
        isinstance(value, torch.Tensor)
        and value.ndim in (4, 5)
        and value.layout is torch.strided
        and (value.is_floating_point() or value.dtype == torch.uint8)
    )


def shown(value: Any) -> str:
    """A value in a message: dtype and shape, or its type."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        layout = "" if getattr(value, "layout", torch.strided) is torch.strided else f"{value.layout} "  # type: ignore[union-attr]
        return f"{layout}{value.dtype} {list(value.shape)}".replace("torch.", "")
    return f"a value of type {type(value).__name__}"


def _ignore(*_: Any) -> None:
    pass
