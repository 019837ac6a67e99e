"""Samples in the published form, from our dataset."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from vjepa_pipe.datasets import VideoDataset
from vjepa_pipe.sampling import SampleKey

AnyTransform = Callable[..., Any]


class PublishedSample(tuple[Any, ...]):
    """`([clip, ...], label, [indices, ...])`, which remembers its key."""

    key: SampleKey


class ViewsOf:
    """A transform whose result may be a list of views; they leave as one tensor.

    Attributes:
        transform: The transform; None passes frames on.
        gives_list: Whether its last result was a list.
    """

    def __init__(self, transform: AnyTransform | None) -> None:
        self.transform = transform
        self.gives_list = False
        self._takes_rng = transform is not None and "rng" in inspect.signature(transform).parameters

    def __call__(self, frames: Any, rng: np.random.Generator) -> torch.Tensor:
        """Transform uint8 `[T, H, W, 3]`."""
        if self.transform is None:
            return torch.as_tensor(np.ascontiguousarray(frames))
        seen = self.transform(frames, rng=rng) if self._takes_rng else self.transform(frames)
        self.gives_list = isinstance(seen, (list, tuple))
        result: torch.Tensor = torch.stack(list(seen)) if self.gives_list else seen
        return result


class PublishedSamples(Dataset[PublishedSample]):
    """A `VideoDataset` whose samples have the published form.

    Args:
        transform: The published caller's transform.
        num_clips: Clips per video.

    Attributes:
        dataset: Set once it is built with `transform`.
    """

    dataset: VideoDataset

    def __init__(self, transform: AnyTransform | None, num_clips: int) -> None:
        self.transform = ViewsOf(transform)
        self.num_clips = num_clips

    @property
    def sources(self) -> Any:
        """The rows of each source."""
        return self.dataset.sources

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: int | SampleKey) -> PublishedSample:
        sample = self.dataset[key]
        indices = sample["clip_indices"]
        video = sample["video"]
        many = self.num_clips > 1 or self.transform.gives_list
        views = list(video) if many and video.ndim == 5 else [video]
        clips: list[Any] = views
        if self.transform.gives_list:
            per_clip = len(views) // self.num_clips
            clips = [views[i : i + per_clip] for i in range(0, len(views), per_clip)]
        result = PublishedSample((clips, sample["label"], list(indices.reshape(self.num_clips, -1))))
        result.key = sample["key"]
        return result
