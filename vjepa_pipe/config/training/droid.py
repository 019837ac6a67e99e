"""Sections of V-JEPA 2-AC training that are not read from the robot data groups (vjepa2 `app/vjepa_droid/train.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.training.base import REQUIRED, PublishedTraining
from vjepa_pipe.config.training.sections import LossConfig, MetaConfig, ModelConfig, ScheduleConfig


@dataclass
class DroidMeta(MetaConfig):
    """Checkpoints, precision and the like."""

    resume_checkpoint: Optional[str] = setting(None, "checkpoint in `folder` to go on from")
    pretrain_checkpoint: Optional[str] = setting(None, "the pretrained encoder, always loaded", path=True)
    load_predictor: bool = setting(False, "load the predictor too")
    context_encoder_key: str = setting("encoder", "name of the context encoder in the checkpoint")
    target_encoder_key: str = setting("target_encoder", "name of the target encoder in the checkpoint")
    load_encoder: bool = setting(True, "load the encoder")
    sync_gc: bool = setting(False, "collect garbage every 50 iterations only")


@dataclass
class DroidModel(ModelConfig):
    """Encoder and action-conditioned predictor."""

    pred_is_frame_causal: bool = setting(True, "a frame sees no later frame")
    use_extrinsics: bool = setting(False, "camera poses are an input of the predictor")


@dataclass
class DroidLoss(LossConfig):
    """The prediction loss."""

    normalize_reps: Optional[bool] = setting(None, "normalise the representations")
    auto_steps: int = setting(1, "steps the predictor runs on its own output", ge=1)


@dataclass
class DroidOptimization(ScheduleConfig):
    """Optimisation: warm-up, a constant rate, linear decay."""

    anneal: float = setting(REQUIRED, "epochs of linear decay at the end", ge=0)
    enc_lr_scale: float = setting(1.0, "learning rate of the encoder, relative to the predictor's", ge=0)


@dataclass
class DroidTraining(PublishedTraining):
    """Settings of V-JEPA 2-AC's training on robot video (`app: vjepa_droid`), with its defaults.

    python launch.py --cfg job training=vjepa_droid
    """

    meta: DroidMeta = setting(DroidMeta(), "checkpoints and precision")
    model: DroidModel = setting(DroidModel(), "encoder and predictor")
    loss: DroidLoss = setting(DroidLoss(), "loss")
    optimization: DroidOptimization = setting(DroidOptimization(), "optimisation")
