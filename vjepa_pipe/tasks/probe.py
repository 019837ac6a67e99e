"""task=probe: how well a frozen encoder tells classes apart, beside encoders with random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from vjepa_pipe.config.errors import UserError, counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import ImageConfig
from vjepa_pipe.config.img_size import height_and_width
from vjepa_pipe.config.instantiate import instantiate
from vjepa_pipe.config.model import VJepa2TinyConfig
from vjepa_pipe.config.probe import ProbeSettings, probe_settings, probed_model
from vjepa_pipe.config.protocols import PAGE
from vjepa_pipe.config.task import ProbeTaskConfig
from vjepa_pipe.loader import DataManager, MaskCollator
from vjepa_pipe.models.frozen import FrozenEncoder, random_encoder, seeded
from vjepa_pipe.records.files import write_json
from vjepa_pipe.sampling import keyed_hash, rank_and_world
from vjepa_pipe.tasks.probe_labels import number_of_classes
from vjepa_pipe.tasks.probe_scores import Scores
from vjepa_pipe.tasks.probe_training import ProbeRun
from vjepa_pipe.tasks.process_group import local_device, process_group

FILE = "probe.json"


def probe(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Train attentive probes on a frozen encoder's tokens, and measure them on the videos of the eval loader.

    Clips for training are augmented as `data_aug` says, so tokens are computed anew in each epoch, once for all
    probes: one for each learning rate and weight decay, of which the best on the eval videos counts, as published
    (vjepa2 `evals/video_classification_frozen`). Tokens of the segments of a video follow each other; probabilities
    of its views are averaged. A linear and a k-NN classifier read the mean of the tokens, of the last epoch's clips.
    Encoders of the same architecture with random weights are measured alike. With several ranks, each takes its share
    of the clips, and gradients are averaged.

    It leaves `probe.json`, with the accuracy of each class, of each probe and of each random encoder.

    Returns:
        `top1`, `top5`, `linear_top1`, `knn_top1`, `chance`, the share of the commonest class, and `random_top1`, the
        mean over random encoders, if there are any; all from 0 to 1.

    Raises:
        UserError: If the encoder cannot be had, or labels and classes do not fit.
    """
    _, world_size = rank_and_world()
    device = local_device()
    threads = torch.get_num_threads()
    torch.set_num_threads(getattr(experiment.task, "threads", None) or threads)
    try:
        with process_group(None if world_size == 1 else "nccl" if device.type == "cuda" else "gloo"):
            return _probe(experiment, output_dir, device)
    finally:
        torch.set_num_threads(threads)


def _probe(experiment: ExperimentConfig, output_dir: Path, device: torch.device) -> dict[str, Any]:
    task, settings = experiment.task, probe_settings(experiment)
    assert isinstance(task, ProbeTaskConfig)
    manager = DataManager(replace(experiment, image=ImageConfig()), output_dir=output_dir)
    train, test = manager.build_train_loader(MaskCollator()), manager.build_eval_loader(MaskCollator())
    try:
        classes = number_of_classes(train.dataset, test.dataset, settings.num_classes)
        encoders = [one.to(device) for one in _encoders(experiment, task.random_encoders)]
        widths = [_width(encoder, experiment, settings, device) for encoder in encoders]
        run = ProbeRun(encoders, widths, settings, classes, experiment.data_aug.eval_views, experiment.seed, device)
        console = Console(stderr=True)
        run.train(train, console if task.progress and manager.rank == 0 else None)
        scores = run.scores(test)
    finally:
        train.close()
        test.close()
    if manager.rank == 0:
        write_json(output_dir / FILE, _report(experiment, scores, settings))
        console.print(*_lines(experiment, scores), sep="\n", markup=False, highlight=False, soft_wrap=True)
        console.print(f"results in {output_dir}", markup=False, highlight=False, soft_wrap=True)
    return _metrics(scores)


def _encoders(experiment: ExperimentConfig, random: int) -> list[nn.Module]:
    """The encoder that is probed, then those with random weights."""
    data, model = experiment.data, probed_model(experiment)
    seeds = [keyed_hash("encoder", experiment.seed, number) % 2**63 for number in range(1 + random)]
    with seeded(seeds[0]):
        own = instantiate(model, "model", seed=seeds[0], img_size=data.img_size, frames_per_clip=data.frames_per_clip)
    if not isinstance(own, nn.Module):
        raise UserError(
            f"model._target_: {model._target_} must give a torch.nn.Module (got {type(own).__name__}; {PAGE})"
        )
    like = own if isinstance(own, FrozenEncoder) else random_encoder(VJepa2TinyConfig(), 0) if random else None
    others = [like.with_random_weights(seed) for seed in seeds[1:]] if like is not None else []
    return [encoder.eval().requires_grad_(False) for encoder in (own, *others)]


@torch.inference_mode()
def _width(encoder: nn.Module, experiment: ExperimentConfig, settings: ProbeSettings, device: torch.device) -> int:
    """D of an encoder's tokens, found out with an empty clip."""
    frames = settings.still_frames or experiment.data.frames_per_clip
    clip = torch.zeros(1, 3, frames, *height_and_width(experiment.data.img_size), device=device)
    tokens = encoder(clip)
    if not isinstance(tokens, torch.Tensor) or tokens.ndim != 3 or len(tokens) != 1 or not tokens.is_floating_point():
        shown = list(tokens.shape) if isinstance(tokens, torch.Tensor) else type(tokens).__name__
        raise UserError(f"model: an encoder must give tokens [B, N, D] of clips [B, C, T, H, W] (got {shown}; {PAGE})")
    width = tokens.shape[2]
    if width % settings.heads:
        raise UserError(f"task.heads must be a divisor of the encoder's width, {width} (got {settings.heads})")
    return width


def _metrics(scores: Scores) -> dict[str, float]:
    own, others = scores.encoders[0], scores.encoders[1:]
    found = {
        "top1": own.top1,
        "top5": own.top5,
        "linear_top1": own.linear_top1,
        "knn_top1": own.knn_top1,
        "chance": scores.chance,
    }
    return found | ({"random_top1": sum(one.top1 for one in others) / len(others)} if others else {})


def _report(experiment: ExperimentConfig, scores: Scores, settings: ProbeSettings) -> dict[str, Any]:
    """The content of `probe.json`."""
    own, others = scores.encoders[0], scores.encoders[1:]
    return {
        "seed": experiment.seed,
        **_metrics(scores),
        "train_videos": scores.train_videos,
        "eval_videos": int(scores.videos.sum()),
        "per_class": {
            label: {"videos": int(scores.videos[label]), "top1": own.per_class[label]}
            for label in range(len(scores.videos))
            if scores.videos[label]
        },
        "probes": [
            {"lr": one.lr, "weight_decay": one.weight_decay, "top1": top1}
            for one, top1 in zip(settings.schedules, own.by_probe, strict=True)
        ],
        "random_encoders": [
            {"top1": one.top1, "top5": one.top5, "linear_top1": one.linear_top1, "knn_top1": one.knn_top1}
            for one in others
        ],
    }


def _lines(experiment: ExperimentConfig, scores: Scores) -> list[str]:
    own, others = scores.encoders[0], scores.encoders[1:]
    videos = counted(int(scores.videos.sum()), "video")
    lines = [
        f"top-1 of {videos}, seed {experiment.seed}: attentive {own.top1:.3f}, linear {own.linear_top1:.3f}, "
        f"k-NN {own.knn_top1:.3f}; top-5 {own.top5:.3f}; chance {scores.chance:.3f}"
    ]
    if others:
        for name, found in (
            ("attentive", [one.top1 for one in others]),
            ("linear", [one.linear_top1 for one in others]),
            ("k-NN", [one.knn_top1 for one in others]),
        ):
            mean = sum(found) / len(found)
            lines.append(
                f"  {name}, {counted(len(found), 'encoder')} with random weights: mean {mean:.3f}, "
                f"from {min(found):.3f} to {max(found):.3f}"
            )
    return lines
