"""What the features of a training are worth, measured on the same clips and masks every time."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vjepa_pipe.config.errors import SampleError, UserError
from vjepa_pipe.config.train_task import TrainTaskConfig
from vjepa_pipe.loader import DataManager, device_prefetch
from vjepa_pipe.models.measures import knn_accuracy, lidar, linear_accuracy, rankme, spread
from vjepa_pipe.models.vjepa2 import Pretraining
from vjepa_pipe.tasks.train_parallel import gathered

COLLAPSED_BELOW = 0.1
"""Of what it was at the start of the run, for the spread of features and for the directions that RankMe counts."""


class _Measured(NamedTuple):
    """What one batch gives: the place of each clip in the eval loader, its features, masked views and label."""

    positions: list[int]
    features: Tensor
    views: Tensor
    labels: list[int]
    loss: float


class Measuring:
    """Measures the teacher's features, means over a clip's tokens, on the first clips of the eval loader.

    Clips come without augmentation and in order, with masks that depend on their place alone. `data.eval_data_paths`
    names the clips, else they are those of training.

    Args:
        manager: Builds the eval loader of its experiment.
        network: What is measured.
        device: Where the network is.

    Attributes:
        every: Steps from one time to the next.
    """

    def __init__(self, manager: DataManager, network: Pretraining, device: torch.device) -> None:
        task = manager.config.task
        assert isinstance(task, TrainTaskConfig) and task.measure_every is not None
        self.every = task.measure_every
        self._network = network
        self._loader = manager.build_eval_loader(manager.build_mask_collator())
        aug = manager.config.data_aug
        self._batches = device_prefetch(self._loader, device, aug.normalize_mean, aug.normalize_std)
        # Each rank measures whole batches only: sharded weights are gathered by all ranks at once.
        in_batch = self._loader.schedule.global_batch_size
        clips = min(task.measure_clips, self._loader.schedule.epoch_size)
        self._count = clips // in_batch if manager.world_size > 1 else -(-clips // in_batch)
        if not self._count:
            raise UserError(
                f"task.measure_every: the eval loader has {clips} clips, fewer than a batch of all ranks, {in_batch}: "
                "name more by data.eval_data_paths, or task.measure_every=null"
            )

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """The measures, the same on all ranks.

        Returns:
            `eval_loss`, the loss on fixed masks; centred `rankme`, `spread`; `lidar`, with the views that the masks
            give, where there are several; `knn` and `linear` accuracy, each clip told by the others, where there are
            labels, of which two clips or more have each on average.

        Raises:
            UserError: If a clip cannot be read.
        """
        self._batches.set_epoch(0)  # masks are drawn for an epoch: the same ones again
        try:
            batches = [self._measured(batch) for batch in islice(self._batches, self._count)]
        except SampleError as error:
            raise UserError(
                f"task.measure_every: {error}; the eval loader replaces no clip: name good ones by "
                "data.eval_data_paths, or task.measure_every=null"
            ) from error
        finally:
            self._loader.close()
        everyone = [batch for rank in gathered(batches) for batch in rank]
        order = torch.tensor([position for batch in everyone for position in batch.positions]).argsort()
        features = torch.cat([batch.features for batch in everyone])[order]
        views = torch.cat([batch.views for batch in everyone])[order]
        sizes = [len(batch.positions) for batch in everyone]
        found = {
            "eval_loss": sum(b.loss * size for b, size in zip(everyone, sizes, strict=True)) / sum(sizes),
            "rankme": rankme(features),
            "spread": spread(features),
        }
        if views.shape[1] > 1:
            found["lidar"] = lidar(views)
        labels = torch.tensor([label for batch in everyone for label in batch.labels])
        classes, labels = torch.unique(labels, return_inverse=True)
        if len(labels) == len(features) and 1 < len(classes) <= len(labels) // 2:
            labels = labels[order]
            neighbours = min(20, len(labels) // len(classes))
            found |= {
                "knn": knn_accuracy(features, labels, neighbours=neighbours),
                "linear": linear_accuracy(features, labels),
            }
        return found

    def _measured(self, batch: Any) -> _Measured:
        groups = [batch] if isinstance(batch, Mapping) else list(batch)
        features, views = [], []
        positions: list[int] = []
        labels: list[int] = []
        for group in groups:
            clips = group["video"]
            features.append(self._network.features(clips).mean(dim=1))
            seen = [self._network.features(clips, "encoder", mask).mean(dim=1) for mask in group["masks_enc"]]
            views.append(torch.stack(seen, dim=1))
            positions += [key.position for key in group["key"]]
            labels += group["label"].tolist() if isinstance(group.get("label"), Tensor) else []
        loss = float(self._network(batch))
        return _Measured(positions, torch.cat(features).float().cpu(), torch.cat(views).float().cpu(), labels, loss)


def collapse(first: Mapping[str, float], now: Mapping[str, float]) -> str | None:
    """A sentence if features have collapsed since the start of a run: what labels are told by would not show it."""
    told = []
    for name, floor in (("spread", 0.0), ("rankme", 1.0)):
        if name in first and now[name] - floor < COLLAPSED_BELOW * (first[name] - floor):
            told.append(f"{name} {now[name]:.3g}, at the start {first[name]:.3g}")
    return f"the features have collapsed: {'; '.join(told)}" if told else None
