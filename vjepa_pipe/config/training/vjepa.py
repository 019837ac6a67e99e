"""Sections of V-JEPA 2 pretraining that are not data (vjepa2 `app/vjepa/train.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.training.base import REQUIRED, PublishedTraining
from vjepa_pipe.config.training.sections import LossConfig, MetaConfig, ModelConfig, ScheduleConfig


@dataclass
class VJepaMeta(MetaConfig):
    """Checkpoints, precision and the like."""

    load_checkpoint: bool = setting(False, "load a checkpoint at the start, if there is one")
    read_checkpoint: Optional[str] = setting(None, "absolute path of the checkpoint; unset: latest.pt", path=True)
    sync_gc: bool = setting(False, "collect garbage every 50 iterations only")


@dataclass
class VJepaModel(ModelConfig):
    """Encoder and predictor."""

    use_mask_tokens: bool = setting(False, "learned mask tokens in the predictor")
    zero_init_mask_tokens: bool = setting(True, "mask tokens start at zero")


@dataclass
class VJepaOptimization(ScheduleConfig):
    """Optimisation; iterations per epoch are `loader.iterations_per_epoch`."""

    is_anneal: bool = setting(False, "cool down: linear decay without warm-up")
    anneal_ckpt: Optional[str] = setting(None, "checkpoint to cool down from", path=True)
    resume_anneal: bool = setting(False, "go on from latest.pt of this cooldown, if there is one")
    ipe_scale: float = setting(1.0, "stretches the schedules beyond the run", gt=0)
    ema: list[float] = setting(REQUIRED, "momentum of the target encoder: first, last")


@dataclass
class VJepaTraining(PublishedTraining):
    """Settings of vjepa2's pretraining (`app: vjepa`), with its defaults.

    python launch.py --cfg job training=vjepa
    """

    meta: VJepaMeta = setting(VJepaMeta(), "checkpoints and precision")
    model: VJepaModel = setting(VJepaModel(), "encoder and predictor")
    loss: LossConfig = setting(LossConfig(), "loss")
    optimization: VJepaOptimization = setting(VJepaOptimization(), "optimisation")
