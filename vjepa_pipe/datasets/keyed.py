"""What every dataset shares: keys, and what happens to a sample that cannot be read."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from vjepa_pipe.config.errors import SampleError, UserError
from vjepa_pipe.sampling import ConcatIndices, SampleKey, generator

Transform = Callable[..., torch.Tensor]


class Source(Protocol):
    """The rows of one source, whatever they are rows of."""

    @property
    def name(self) -> str:
        """What samples and reports call it."""

    def __len__(self) -> int: ...

    def path(self, i: int) -> str:
        """Where row `i` is, for reports."""


class BadSample(NamedTuple):
    """A row that could not be read, and why."""

    source: str
    row: int
    path: str
    reason: str


class TooManyBadSamples(UserError):
    """No readable sample was found in a source within the tries allowed."""


class KeyedDataset(Dataset[dict[str, Any]]):
    """A dataset whose sample is a pure function of its key.

    `dataset[i]` takes a row number, or a `SampleKey` from a sampler. Everything that is drawn for the
    sample is drawn from generators made from the key, so it does not matter in which process, or how
    often, it is read. A row that cannot be read is replaced by another of its source.

    Args:
        sources: The rows of each source.
        transform: Called with uint8 `[T, H, W, 3]` and `rng=` if it has such a parameter; any other
            callable, such as a torchvision v2 transform, gets uint8 `[T, 3, H, W]`.
        seed: Seed of the keys made for plain row numbers.
        on_bad_sample: `replace` a sample that cannot be read by another row of the same source, or `raise`.
        max_replacements: Rows tried in place of a bad one.

    Raises:
        ValueError: If `on_bad_sample` is none of `bad_sample_policies`.
    """

    bad_sample_policies: ClassVar[tuple[str, ...]] = ("replace", "raise")

    def __init__(
        self,
        sources: Sequence[Source],
        transform: Transform | None,
        seed: int,
        on_bad_sample: str,
        max_replacements: int,
    ) -> None:
        if on_bad_sample not in self.bad_sample_policies:
            raise ValueError(f"on_bad_sample must be {' or '.join(self.bad_sample_policies)} (got {on_bad_sample!r})")
        self.sources = sources
        self.transform = transform
        self.seed = seed
        self.on_bad_sample = on_bad_sample
        self.max_replacements = max_replacements
        self.index = ConcatIndices([len(rows) for rows in sources])
        self._takes_rng = transform is not None and "rng" in inspect.signature(transform).parameters

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int | SampleKey) -> dict[str, Any]:
        asked = self.key_of(index) if not isinstance(index, SampleKey) else index
        bad: list[BadSample] = []
        for key in self._candidates(asked):
            try:
                return {**self.sample(key), "key": key, "replaced": bad}
            except SampleError as error:
                rows = self.sources[key.source]
                bad.append(BadSample(rows.name, key.row, rows.path(key.row), str(error)))
                if self.on_bad_sample == "raise":
                    raise
                if self.on_bad_sample == "zero_masked":
                    return {**self.blank_sample(asked), "key": asked, "replaced": bad}
        reasons = "; ".join(dict.fromkeys(sample.reason for sample in bad[:3]))
        raise TooManyBadSamples(
            f"source {self.sources[asked.source].name}: {len(bad)} samples in a row could not be read, "
            f"the first: {reasons}"
        )

    @abstractmethod
    def sample(self, key: SampleKey) -> dict[str, Any]:
        """The sample of a key, without `key` and `replaced`.

        Raises:
            SampleError: If the row cannot be read.
        """

    def blank_sample(self, key: SampleKey) -> dict[str, Any]:
        """What stands for a row that cannot be read, in datasets with the policy `zero_masked`."""
        raise NotImplementedError(f"{type(self).__name__} has no blank sample for {key}")

    def key_of(self, index: int) -> SampleKey:
        """The key that `dataset[index]` uses for a plain row number."""
        source, row = self.index[range(len(self))[index]]
        return SampleKey(self.seed, 0, int(index) % len(self), source, row)

    def augmentation_rng(self, key: SampleKey, clip: int = 0) -> np.random.Generator:
        """The generator that a key's augmentation draws from."""
        return generator(key, f"augment/{clip}")

    def _candidates(self, key: SampleKey) -> Iterator[SampleKey]:
        """The key itself, then rows of the same source to read in its place, all following from the key."""
        yield key
        for row in generator(key, "replacement").integers(len(self.sources[key.source]), size=self.max_replacements):
            yield key._replace(row=int(row))

    def _transformed(self, frames: npt.NDArray[np.uint8], key: SampleKey, clip: int) -> torch.Tensor:
        if self._takes_rng:
            return self.transform(frames, rng=self.augmentation_rng(key, clip))  # type: ignore[misc]
        if self.transform is not None:
            return self.transform(torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2))
        return torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2)
