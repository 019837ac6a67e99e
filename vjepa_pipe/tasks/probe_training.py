"""Attentive probes of frozen encoders: trained on one loader, measured on another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, distributed, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.probe import ProbeSettings
from vjepa_pipe.loader import ClipLoader
from vjepa_pipe.models.attentive import Probes
from vjepa_pipe.models.frozen import seeded
from vjepa_pipe.models.schedules import Schedules
from vjepa_pipe.sampling import keyed_hash
from vjepa_pipe.tasks.probe_scores import MeanTokens, Scores, Tally, scores_of


class ProbeRun:
    """Probes of several encoders, trained side by side on the same clips.

    Args:
        encoders: Frozen, on the device.
        widths: D of the tokens of each.
        settings: How probes are built and trained.
        classes: Classes.
        views: Views of each eval clip.
        seed: The probes' weights follow from it.
        device: Where all is computed.
    """

    def __init__(
        self,
        encoders: Sequence[nn.Module],
        widths: Sequence[int],
        settings: ProbeSettings,
        classes: int,
        views: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._encoders, self._settings, self._classes, self._views = encoders, settings, classes, views
        self._device = device
        with seeded(keyed_hash("probes", seed) % 2**63):
            self._probes = Probes(widths, len(settings.schedules), settings.heads, settings.blocks, classes).to(device)
        self._trained_on = self._mean_tokens()

    def train(self, loader: ClipLoader, console: Console | None) -> None:
        """Train all probes.

        Args:
            loader: Of the training clips.
            console: Where a progress bar is drawn; None draws none.
        """
        epochs, steps = self._settings.epochs, _fewest(len(loader), self._device)
        schedules = [Schedules(one, steps) for one in self._settings.schedules]
        groups = [{"params": list(probe.parameters())} for probe in self._probes.probes]
        optimizer = torch.optim.AdamW(groups)
        probes: nn.Module = self._probes.train()
        if distributed.is_initialized():
            probes = DistributedDataParallel(probes, static_graph=True)
        with Progress(console=console, disable=console is None, transient=True) as progress:
            bar = progress.add_task("probes", total=epochs * steps)
            for epoch in range(epochs):
                loader.set_epoch(epoch)
                self._trained_on = self._mean_tokens()
                for step, batch in enumerate(islice(loader, steps), start=epoch * steps):
                    for place, group in enumerate(optimizer.param_groups):
                        schedule = schedules[place % len(schedules)]
                        group["lr"], group["weight_decay"] = schedule.learning_rate(step), schedule.weight_decay(step)
                    clips, labels = self._read(batch)
                    tokens = [found[0] for found in self._tokens(clips, views=1)]
                    with self._autocast():
                        logits = probes(tokens)
                    loss = cross_entropy(
                        logits.permute(2, 3, 0, 1).float(), labels[:, None, None].expand(-1, *logits.shape[:2])
                    )
                    optimizer.zero_grad()
                    torch.autograd.backward(loss * len(groups))  # each probe by itself: a mean over clips
                    optimizer.step()
                    if epoch == epochs - 1:
                        self._trained_on.add([found.mean(dim=1) for found in tokens], labels)
                    progress.advance(bar)

    @torch.inference_mode()
    def scores(self, loader: ClipLoader) -> Scores:
        """Measure all probes.

        Args:
            loader: Of the eval clips.
        """
        probes = self._probes.eval()
        tally = Tally((len(self._encoders), len(self._settings.schedules)), self._classes, self._device)
        measured_on = self._mean_tokens()
        for batch in loader:
            clips, labels = self._read(batch)
            tokens = self._tokens(clips, self._views)
            with self._autocast():
                views = [probes(view).float().softmax(dim=-1) for view in zip(*tokens, strict=True)]
            tally.add(torch.stack(views).mean(dim=0), labels)
            measured_on.add([found.mean(dim=(0, 2)) for found in tokens], labels)
        return scores_of(tally, self._trained_on, measured_on)

    def _mean_tokens(self) -> MeanTokens:
        return MeanTokens([[] for _ in self._encoders], [])

    def _read(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Clips `[B, N, C, T, H, W]`, N of each video, and labels int64 `[B]`."""
        labels = batch.get("label") if isinstance(batch, Mapping) else None
        clips = batch.get("video") if isinstance(batch, Mapping) else None
        if not isinstance(clips, Tensor) or not isinstance(labels, Tensor) or labels.is_floating_point():
            raise UserError("task=probe reads batches with 'video' and whole numbers under 'label'")
        if (largest := int(labels.max())) >= self._classes or int(labels.min()) < 0:
            raise UserError(f"task.num_classes is {self._classes}, and a clip has the label {largest}")
        clips = clips.to(self._device, non_blocking=True)
        clips = clips if clips.ndim == 6 else clips.unsqueeze(1)
        if self._settings.still_frames:
            clips = clips[:, :, :, :1].expand(-1, -1, -1, self._settings.still_frames, -1, -1)
        return clips, labels.to(self._device, torch.int64)

    @torch.no_grad()
    def _tokens(self, clips: Tensor, views: int) -> list[Tensor]:
        """Tokens `[views, B, segments * N, D]` of each encoder: those of a video's segments follow each other."""
        with self._autocast():
            found = [encoder(clips.flatten(0, 1)) for encoder in self._encoders]
        return [tokens.unflatten(0, (len(clips), -1, views)).permute(2, 0, 1, 3, 4).flatten(2, 3) for tokens in found]

    def _autocast(self) -> Any:
        if self._settings.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)


def _fewest(batches: int, device: torch.device) -> int:
    """The number of batches of the rank that has the fewest: all take their steps together."""
    if not distributed.is_initialized():
        return batches
    fewest = torch.tensor(batches, device=device)
    distributed.all_reduce(fewest, distributed.ReduceOp.MIN)
    return int(fewest)
