"""What probes of several encoders got right, over all ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, distributed

from vjepa_pipe.models.measures import knn_accuracy, linear_accuracy


@dataclass(frozen=True)
class EncoderScore:
    """Accuracy of one encoder, from 0 to 1.

    Attributes:
        top1: Of its best attentive probe.
        top5: Of the same.
        per_class: Top-1 of the same in each class; 0 in one without videos.
        by_probe: Top-1 of each attentive probe.
        linear_top1: Of a linear classifier of mean tokens.
        knn_top1: Of their nearest neighbours.
    """

    top1: float
    top5: float
    per_class: list[float]
    by_probe: list[float]
    linear_top1: float
    knn_top1: float


@dataclass(frozen=True)
class Scores:
    """What a run measured.

    Attributes:
        encoders: The one that is probed first, then those with random weights.
        videos: int64 `[classes]`, eval videos of each class.
        train_videos: Clips of the last epoch of training.
    """

    encoders: list[EncoderScore]
    videos: Tensor
    train_videos: int

    @property
    def chance(self) -> float:
        """Accuracy of always naming the commonest class."""
        return int(self.videos.max()) / int(self.videos.sum())


class Tally:
    """Counts what attentive probes get right.

    Args:
        shape: Encoders and probes of each.
        classes: Classes.
        device: Where it counts.
    """

    def __init__(self, shape: tuple[int, int], classes: int, device: torch.device) -> None:
        self.videos = torch.zeros(classes, dtype=torch.int64, device=device)
        self.top1 = torch.zeros(*shape, classes, dtype=torch.int64, device=device)
        self.top5 = torch.zeros(shape, dtype=torch.int64, device=device)

    def add(self, probabilities: Tensor, labels: Tensor) -> None:
        """Count a batch: `[encoders, probes, B, classes]`, int64 `[B]`."""
        ranked = probabilities.topk(min(5, probabilities.shape[-1]), dim=-1).indices
        right = ranked == labels[:, None]
        self.videos += torch.bincount(labels, minlength=len(self.videos))
        self.top1.index_add_(2, labels, right[..., 0].long())
        self.top5 += right.any(dim=-1).sum(dim=-1)

    def over_ranks(self) -> None:
        """Add up what all ranks have counted."""
        if distributed.is_initialized():
            for counts in (self.videos, self.top1, self.top5):
                distributed.all_reduce(counts)


@dataclass
class MeanTokens:
    """Mean tokens of clips, `[B, D]` of each encoder, and their labels, batch by batch."""

    features: list[list[Tensor]]
    labels: list[Tensor]

    def add(self, features: Sequence[Tensor], labels: Tensor) -> None:
        """Keep those of a batch, on the CPU."""
        for kept, new in zip(self.features, features, strict=True):
            kept.append(new.float().cpu())
        self.labels.append(labels.cpu())

    def over_ranks(self) -> tuple[list[Tensor], Tensor]:
        """Those of all ranks."""
        parts: list[MeanTokens] = [self]
        if distributed.is_initialized():
            parts = [self] * distributed.get_world_size()
            distributed.all_gather_object(parts, self)
        features = [
            torch.cat(list(chain.from_iterable(part.features[place] for part in parts)))
            for place in range(len(self.features))
        ]
        return features, torch.cat(list(chain.from_iterable(part.labels for part in parts)))


def scores_of(tally: Tally, train: MeanTokens, test: MeanTokens) -> Scores:
    """The accuracies of all encoders, over all ranks."""
    tally.over_ranks()
    (features, labels), (test_features, test_labels) = train.over_ranks(), test.over_ranks()
    videos, top1 = tally.videos.cpu(), tally.top1.cpu()
    by_probe = top1.sum(dim=-1).double() / videos.sum()
    encoders = []
    for place, found in enumerate(by_probe):
        best = int(found.argmax())
        data = (features[place], labels, test_features[place], test_labels)
        encoders.append(
            EncoderScore(
                top1=float(found[best]),
                top5=int(tally.top5[place, best]) / int(videos.sum()),
                per_class=(top1[place, best].double() / videos.clamp(min=1)).tolist(),
                by_probe=found.tolist(),
                linear_top1=linear_accuracy(*data),
                knn_top1=knn_accuracy(*data),
            )
        )
    return Scores(encoders, videos, len(labels))
