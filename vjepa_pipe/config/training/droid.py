"""Sections of V-JEPA 2-AC training that are not read from the robot data groups (vjepa2 `app/vjepa_droid/train.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.training.base import REQUIRED, PublishedTraining, ScheduleConfig


@dataclass
class DroidMeta:
    """Checkpoints, precision and the like."""

    resume_checkpoint: Optional[str] = setting(None, "checkpoint in `folder` to go on from")
    pretrain_checkpoint: Optional[str] = setting(None, "the pretrained encoder, always loaded", path=True)
    load_predictor: bool = setting(False, "load the predictor too")
    context_encoder_key: str = setting("encoder", "name of the context encoder in the checkpoint")
    target_encoder_key: str = setting("target_encoder", "name of the target encoder in the checkpoint")
    load_encoder: bool = setting(True, "load the encoder")
    save_every_freq: int = setting(-1, "epochs between kept checkpoints; -1 keeps none")
    skip_batches: int = setting(-1, "batches to draw and drop at the start")
    use_sdpa: bool = setting(False, "fused attention in the encoder")
    sync_gc: bool = setting(False, "collect garbage every 50 iterations only")
    dtype: str = setting(REQUIRED, "bfloat16, float16 or float32")


@dataclass
class DroidModel:
    """Encoder and action-conditioned predictor."""

    model_name: str = setting(REQUIRED, "encoder, such as vit_giant_xformers")
    pred_depth: int = setting(REQUIRED, "layers of the predictor", ge=1)
    pred_embed_dim: int = setting(REQUIRED, "width of the predictor", ge=1)
    pred_num_heads: Optional[int] = setting(None, "heads of the predictor; unset: the encoder's", ge=1)
    pred_is_frame_causal: bool = setting(True, "a frame sees no later frame")
    compile_model: bool = setting(False, "torch.compile")
    use_activation_checkpointing: bool = setting(False, "trade compute for memory")
    uniform_power: bool = setting(False, "equal share of the position embedding for time, height and width")
    use_rope: bool = setting(False, "rotary position embedding")
    use_silu: bool = setting(False, "SiLU in the encoder")
    use_pred_silu: bool = setting(False, "SiLU in the predictor")
    wide_silu: bool = setting(True, "keep the hidden width with SiLU")
    use_extrinsics: bool = setting(False, "camera poses are an input of the predictor")


@dataclass
class DroidLoss:
    """The prediction loss."""

    loss_exp: float = setting(REQUIRED, "exponent of the distance", gt=0)
    normalize_reps: Optional[bool] = setting(None, "normalise the representations")
    auto_steps: int = setting(1, "steps the predictor runs on its own output", ge=1)


@dataclass
class DroidOptimization(ScheduleConfig):
    """Optimisation: warm-up, a constant rate, linear decay."""

    anneal: float = setting(REQUIRED, "epochs of linear decay at the end", ge=0)
    enc_lr_scale: float = setting(1.0, "learning rate of the encoder, relative to the predictor's", ge=0)


@dataclass
class DroidTraining(PublishedTraining):
    """`app: vjepa_droid`."""

    meta: DroidMeta = setting(DroidMeta(), "checkpoints and precision")
    model: DroidModel = setting(DroidModel(), "encoder and predictor")
    loss: DroidLoss = setting(DroidLoss(), "loss")
    optimization: DroidOptimization = setting(DroidOptimization(), "optimisation")
