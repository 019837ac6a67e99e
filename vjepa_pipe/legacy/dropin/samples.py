"""Samples in the published form, from our dataset."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

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


@dataclass
class PublishedForm:
    """Collates the samples of a `VideoDataset` as published samples.

    Attributes:
        transform: The dataset's transform: it knows whether a clip has a list of views.
        num_clips: Clips per video.
        collate: What the published caller collates with.
    """

    transform: ViewsOf
    num_clips: int
    collate: Callable[[Sequence[Any]], Any]

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Any:
        return self.collate([self.published(sample) for sample in samples])

    def published(self, sample: Mapping[str, Any]) -> PublishedSample:
        """One sample in the published form."""
        video = sample["video"]
        many = self.num_clips > 1 or self.transform.gives_list
        views = list(video) if many and video.ndim == 5 else [video]
        clips: list[Any] = views
        if self.transform.gives_list:
            per_clip = len(views) // self.num_clips
            clips = [views[i : i + per_clip] for i in range(0, len(views), per_clip)]
        result = PublishedSample((clips, sample["label"], list(sample["clip_indices"].reshape(self.num_clips, -1))))
        result.key = sample["key"]
        return result


def default_batch(samples: Sequence[Any]) -> Any:
    """What torch makes of samples when no collator is given."""
    return default_collate(list(samples))
