"""What the pretraining of V-JEPA 2 takes, of settings that published files may hold.

They hold for tasks that train here; a trainer of somebody else's may take more.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from vjepa_pipe.config.errors import counted, did_you_mean
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import image_experiment
from vjepa_pipe.config.mask_rules import masks_per_clip
from vjepa_pipe.config.training import VJepa21Training, VJepaTraining
from vjepa_pipe.config.training.sizes import ENCODERS
from vjepa_pipe.config.training.vjepa import VJepaModel, VJepaOptimization

DTYPES = ("bfloat16", "float16", "float32")
"""Values of `training.meta.dtype`."""

_SMALLEST_HEAD = 12
"""Numbers of a head that rotary positions need: four each for time, height and width."""


def training_faults(experiment: ExperimentConfig) -> Iterator[str]:
    """A line for each setting with which V-JEPA 2 is not pretrained here.

    Args:
        experiment: A checked experiment.
    """
    training = experiment.training
    if isinstance(training, VJepa21Training) or not isinstance(training, VJepaTraining):
        yield (
            f"training must be V-JEPA 2 pretraining, such as training=tiny, training=vjepa2_pretrain or training=vjepa "
            f"(got {type(training).__name__}): task=external runs trainers of others"
        )
        return
    if training.meta.dtype not in DTYPES:
        hint = did_you_mean(training.meta.dtype, DTYPES)
        yield f"training.meta.dtype must be one of {', '.join(DTYPES)} (got {training.meta.dtype!r}){hint}"
    yield from _model_faults(training.model)
    yield from _optimization_faults(training.optimization)
    if not masks_per_clip(experiment):
        yield "mask must draw masks to train with, such as mask=multiblock3d (got none)"
    yield from _image_faults(experiment)
    if find_spec("transformers") is None:
        yield "training needs transformers: pip install 'vjepa_pipe[train]'"


def _image_faults(experiment: ExperimentConfig) -> Iterator[str]:
    """Of images beside the videos: V-JEPA 2's encoder has one embedding, for tokens of one size."""
    images = image_experiment(experiment)
    if images is None:
        return
    videos, stills = masks_per_clip(experiment), masks_per_clip(images)
    if not stills:
        yield "image.mask must draw masks to train with, such as mask@image.mask=multiblock2d (got none)"
        return
    if images.mask.tubelet_size != (tubelet := experiment.mask.tubelet_size):
        yield (
            f"image.mask.tubelet_size must be mask.tubelet_size={tubelet} for task=train, whose encoder has one patch "
            f"embedding (got {images.mask.tubelet_size}): set image.mask.tubelet_size={tubelet} and "
            f"image.data.frames_per_clip={tubelet}, which repeats each image"
        )
    if images.mask.patch_size != experiment.mask.patch_size:
        patch = experiment.mask.patch_size
        yield f"image.mask.patch_size must be mask.patch_size={patch} for task=train (got {images.mask.patch_size})"
    if stills != videos and getattr(experiment.task, "parallel", "ddp") == "fsdp2":
        yield (
            f"task.parallel must be ddp with {counted(stills, 'mask')} for images and {counted(videos, 'mask')} for "
            "videos (got fsdp2): ranks gather weights together, once for each mask"
        )


def _model_faults(model: VJepaModel) -> Iterator[str]:
    for name, only, reason in (
        ("use_rope", True, "transformers' VJEPA2 has rotary positions only"),
        ("use_mask_tokens", True, "its predictor has mask tokens"),
        ("use_silu", False, "its encoder has no SwiGLU"),
        ("use_pred_silu", False, "its predictor has no SwiGLU"),
    ):
        if getattr(model, name) is not only:
            yield f"training.model.{name} must be {str(only).lower()}: {reason}"
    size = ENCODERS.get(model.model_name)
    if size is None:
        hint = did_you_mean(model.model_name, ENCODERS)
        yield f"training.model.model_name must be one of {', '.join(ENCODERS)} (got {model.model_name!r}){hint}"
    heads = model.pred_num_heads or (size.heads if size else 1)
    if model.pred_embed_dim % heads or model.pred_embed_dim // heads < _SMALLEST_HEAD:
        yield (
            f"training.model.pred_embed_dim must be a multiple of its {heads} heads, at least {_SMALLEST_HEAD} times "
            f"as large (got {model.pred_embed_dim})"
        )


def _optimization_faults(optimization: VJepaOptimization) -> Iterator[str]:
    for name, below in (("ema", "to 1"), ("betas", "to below 1")):
        pair = getattr(optimization, name)
        if len(pair) != 2 or not all(0 <= value <= 1 for value in pair) or (name == "betas" and max(pair) == 1):
            yield f"training.optimization.{name} must be two numbers from 0 {below} (got {pair})"
    if optimization.ipe_scale < 1:
        yield (
            f"training.optimization.ipe_scale must be >= 1 (got {optimization.ipe_scale}): the momentum schedule "
            "would end before the run does"
        )
    if optimization.is_anneal and optimization.anneal_ckpt is None:
        yield "training.optimization.is_anneal needs training.optimization.anneal_ckpt: what to cool down from"


def superseded(experiment: ExperimentConfig) -> Iterator[str]:
    """A sentence for each published setting that is set and does nothing here, because something else takes its place.

    Args:
        experiment: One that `training_faults` finds nothing in.
    """
    training = experiment.training
    assert isinstance(training, VJepaTraining)
    if training.meta.load_checkpoint:
        yield "training.meta.load_checkpoint is superseded: a run that was cut short goes on by itself"
    if training.meta.skip_batches > 0:
        yield "training.meta.skip_batches is superseded: a run goes on with the batch after its last"
    if not training.meta.use_sdpa:
        yield "training.meta.use_sdpa=false is superseded: attention is always fused, with the same result"
    if training.model.uniform_power:
        yield "training.model.uniform_power has no effect: positions are rotary, as in the released models"
