"""Sections of V-JEPA 2 pretraining that are not data (vjepa2 `app/vjepa/train.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.training.base import REQUIRED, PublishedTraining, ScheduleConfig


@dataclass
class VJepaMeta:
    """Checkpoints, precision and the like."""

    load_checkpoint: bool = setting(False, "load a checkpoint at the start, if there is one")
    read_checkpoint: Optional[str] = setting(None, "absolute path of the checkpoint; unset: latest.pt", path=True)
    save_every_freq: int = setting(-1, "epochs between kept checkpoints; the first is e0.pt; -1 keeps none")
    skip_batches: int = setting(-1, "batches to draw and drop at the start")
    use_sdpa: bool = setting(False, "fused attention in the encoder")
    sync_gc: bool = setting(False, "collect garbage every 50 iterations only")
    dtype: str = setting(REQUIRED, "bfloat16, float16 or float32")


@dataclass
class VJepaModel:
    """Encoder and predictor."""

    model_name: str = setting(REQUIRED, "encoder, such as vit_large")
    pred_depth: int = setting(REQUIRED, "layers of the predictor", ge=1)
    pred_embed_dim: int = setting(REQUIRED, "width of the predictor", ge=1)
    pred_num_heads: Optional[int] = setting(None, "heads of the predictor; unset: the encoder's", ge=1)
    compile_model: bool = setting(False, "torch.compile")
    use_activation_checkpointing: bool = setting(False, "trade compute for memory")
    uniform_power: bool = setting(False, "equal share of the position embedding for time, height and width")
    use_mask_tokens: bool = setting(False, "learned mask tokens in the predictor")
    zero_init_mask_tokens: bool = setting(True, "mask tokens start at zero")
    use_rope: bool = setting(False, "rotary position embedding")
    use_silu: bool = setting(False, "SiLU in the encoder")
    use_pred_silu: bool = setting(False, "SiLU in the predictor")
    wide_silu: bool = setting(True, "keep the hidden width with SiLU")


@dataclass
class VJepaLoss:
    """The prediction loss."""

    loss_exp: float = setting(REQUIRED, "exponent of the distance", gt=0)


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
    """`app: vjepa`."""

    meta: VJepaMeta = setting(VJepaMeta(), "checkpoints and precision")
    model: VJepaModel = setting(VJepaModel(), "encoder and predictor")
    loss: VJepaLoss = setting(VJepaLoss(), "loss")
    optimization: VJepaOptimization = setting(VJepaOptimization(), "optimisation")
