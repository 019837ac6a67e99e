"""What task=probe trains and on which encoder: the settings of its own, or those of a published file.

With `training=video_probe` or `image_probe`, which `legacy=` chooses, the probe is the one that `training` describes;
with `model=none` too, so is the encoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from typing import Any

from vjepa_pipe.config.build import WANTING, faults_of, shown
from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.data import DataConfig, FolderDataConfig, SyntheticDataConfig
from vjepa_pipe.config.data_files import named_eval_files
from vjepa_pipe.config.epic_kitchens import EpicKitchensDataConfig
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.img_size import height_and_width
from vjepa_pipe.config.model import EncoderConfig, PretrainedModelConfig, VJepa2TinyConfig
from vjepa_pipe.config.robot_data import RobotDataConfig
from vjepa_pipe.config.targets import PLACES
from vjepa_pipe.config.task import ProbeTaskConfig
from vjepa_pipe.config.training import (
    ImageProbeTraining,
    V1ImageProbeTraining,
    V1VideoProbeTraining,
    VideoProbeTraining,
)
from vjepa_pipe.config.training.evals import ModelKwargs, ProbeTraining
from vjepa_pipe.config.training.vjepa import VJepaOptimization

SCHEDULES = "training.experiment.optimization.multihead_kwargs"
SCHEDULED = ("lr", "start_lr", "final_lr", "warmup", "weight_decay", "final_weight_decay")
"""What each of these entries says."""

ENCODERS = ("vit_encoder", "vit_encoder_multiclip", "vit_encoder_multiclip_multilevel")
"""Modules of the published evaluations that build an encoder, by the last part of their names."""


@dataclass(frozen=True)
class ProbeSettings:
    """The attentive probes of a run.

    Attributes:
        epochs: Epochs of training.
        blocks: Layers of each probe.
        heads: Attention heads of each probe.
        num_classes: Classes; None: up to the largest label of the training rows.
        schedules: Learning rate and weight decay of each probe over the run.
        precision: `float32` or `bfloat16`.
        still_frames: Frames that a still image is repeated to; None: clips are videos.
    """

    epochs: int
    blocks: int
    heads: int
    num_classes: int | None
    schedules: tuple[VJepaOptimization, ...]
    precision: str
    still_frames: int | None = None


def probe_settings(experiment: ExperimentConfig) -> ProbeSettings:
    """The probes of an experiment in which `probe_faults` finds nothing."""
    task, training = experiment.task, experiment.training
    assert isinstance(task, ProbeTaskConfig)
    if not isinstance(training, (VideoProbeTraining, ImageProbeTraining)):
        schedules = tuple(
            _schedule(
                task.epochs, lr=lr, start_lr=lr, final_lr=0.0, weight_decay=decay, final_weight_decay=decay, warmup=0
            )
            for lr, decay in product(task.learning_rates, task.weight_decays)
        )
        return ProbeSettings(task.epochs, task.blocks, task.heads, task.num_classes, schedules, task.precision)
    told, still = training.experiment, training.model_kwargs.wrapper_kwargs.get("img_as_video_nframes")
    return ProbeSettings(
        epochs=told.optimization.num_epochs,
        blocks=told.classifier.num_probe_blocks,
        heads=told.classifier.num_heads,
        num_classes=told.data.num_classes,
        schedules=tuple(
            _schedule(told.optimization.num_epochs, **given) for given in told.optimization.multihead_kwargs
        ),
        precision="bfloat16" if told.optimization.use_bfloat16 else "float32",
        still_frames=still if isinstance(training, ImageProbeTraining) else None,
    )


def _schedule(epochs: int, **given: Any) -> VJepaOptimization:
    return VJepaOptimization(epochs=epochs, ema=[1.0, 1.0], **given)


def probed_model(experiment: ExperimentConfig) -> EncoderConfig:
    """The encoder of an experiment in which `probe_faults` finds nothing."""
    if isinstance(experiment.model, EncoderConfig):
        return experiment.model
    assert isinstance(experiment.training, ProbeTraining)
    return _published_model(experiment.training.model_kwargs)


def _published_model(kwargs: ModelKwargs) -> PretrainedModelConfig:
    encoder = kwargs.pretrain_kwargs.get("encoder") or {}
    return PretrainedModelConfig(
        path=kwargs.checkpoint,
        checkpoint_key=encoder.get("checkpoint_key"),
        model_name=encoder.get("model_name"),
        out_layers=kwargs.wrapper_kwargs.get("out_layers"),
    )


def probe_faults(experiment: ExperimentConfig) -> Iterator[str]:
    """A line for everything that keeps task=probe from running an experiment, as far as its settings tell."""
    if not isinstance(experiment.task, ProbeTaskConfig):
        return
    yield from _data_faults(experiment)
    training = experiment.training
    if isinstance(training, (V1VideoProbeTraining, V1ImageProbeTraining)):
        yield "training: task=probe reads the probes of V-JEPA 2 (training=video_probe or image_probe), not of V-JEPA 1"
    elif isinstance(training, (VideoProbeTraining, ImageProbeTraining)):
        yield from _training_faults(training)
    if isinstance(experiment.model, EncoderConfig):
        if experiment.model._target_ in PLACES["model"] and find_spec("transformers") is None:
            yield "model needs transformers: pip install 'vjepa_pipe[train]'"
        yield from _model_faults(experiment)
    elif isinstance(training, (VideoProbeTraining, ImageProbeTraining)):
        yield from _published_model_faults(training.model_kwargs)
    else:
        yield "model: task=probe needs an encoder: model=vjepa2_tiny, model=pretrained or model=own"


def _data_faults(experiment: ExperimentConfig) -> Iterator[str]:
    data = experiment.data
    if isinstance(data, (RobotDataConfig, CaptionedDataConfig, EpicKitchensDataConfig)):
        yield "data: task=probe needs videos with a class each, such as data=csv with lines of `path label`"
    elif isinstance(data, FolderDataConfig) and data.labels == "none":
        yield "data.labels must be folders for task=probe: with none, no video has a label"
    elif not _has_eval_videos(data):
        names = "".join(f", or {name}=PATH in the environment" for name in data.eval_path_variables)
        yield (
            f"data.eval_data_paths{WANTING[0]} the videos that task=probe measures on, which without it are those of "
            f"training: set data.eval_data_paths=[val.csv]{names}"
        )
    if len(set(data.frames_per_clip_by_source or ())) > 1:
        yield "data.frames_per_clip_by_source must be one length for task=probe: its probes read clips of one length"
    if experiment.loader.output != "float32":
        yield f"loader.output must be float32 for task=probe (got {experiment.loader.output})"


def _has_eval_videos(data: DataConfig) -> bool:
    if data._target_ not in PLACES["data"]:
        return True  # a dataset of the user's own, which need not read files
    return bool(named_eval_files(data)) or (isinstance(data, SyntheticDataConfig) and data.eval_videos is not None)


def _model_faults(experiment: ExperimentConfig) -> Iterator[str]:
    model, data = experiment.model, experiment.data
    if not isinstance(model, VJepa2TinyConfig) or model._target_ != VJepa2TinyConfig._target_:
        return
    if any(side % model.patch_size for side in height_and_width(data.img_size)):
        yield f"data.img_size must be a multiple of model.patch_size={model.patch_size} (got {data.img_size})"
    if data.frames_per_clip % model.tubelet_size:
        yield (
            f"data.frames_per_clip must be a multiple of model.tubelet_size={model.tubelet_size} "
            f"(got {data.frames_per_clip})"
        )


def _training_faults(training: VideoProbeTraining | ImageProbeTraining) -> Iterator[str]:
    if training.val_only:
        yield "training.val_only must be false for task=probe, which trains its probes"
    optimization = training.experiment.optimization
    if not optimization.multihead_kwargs:
        yield f"{SCHEDULES} must not be empty: one probe is trained for each entry"
    for place, given in enumerate(optimization.multihead_kwargs):
        if not isinstance(given, Mapping) or set(given) != set(SCHEDULED):
            yield f"{SCHEDULES}[{place}] must have {', '.join(SCHEDULED)} (got {shown(given)})"
        else:
            yield from faults_of(_schedule(optimization.num_epochs, **given), f"{SCHEDULES}[{place}]")


def _published_model_faults(kwargs: ModelKwargs) -> Iterator[str]:
    where = "training.model_kwargs"
    if kwargs.module_name.rpartition(".")[2] not in ENCODERS:
        yield (
            f"{where}.module_name={kwargs.module_name} is none of {', '.join(ENCODERS)}: name the encoder by model=own "
            "model._target_=NAME or model=pretrained model.path=PATH"
        )
        return
    encoder = kwargs.pretrain_kwargs.get("encoder") or {}
    for section, values, name, only in (
        ("wrapper_kwargs", kwargs.wrapper_kwargs, "use_pos_embed", False),
        ("pretrain_kwargs.encoder", encoder, "use_silu", False),
        ("pretrain_kwargs.encoder", encoder, "use_rope", True),
    ):
        if bool(values.get(name)) is not only:
            yield f"{where}.{section}.{name} must be {str(only).lower()}: transformers' encoder has no other"
    yield from (f"{where}: {fault}" for fault in faults_of(_published_model(kwargs), "model"))
