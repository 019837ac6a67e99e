"""Sections that several published pretraining codes read alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.training.base import REQUIRED


@dataclass
class MetaConfig:
    """Checkpoints, precision and the like."""

    save_every_freq: int = setting(-1, "epochs between kept checkpoints, from epoch 0 on; -1 keeps none")
    skip_batches: int = setting(-1, "batches to draw and drop at the start")
    use_sdpa: bool = setting(False, "fused attention in the encoder")
    dtype: str = setting(REQUIRED, "bfloat16, float16 or float32")


@dataclass
class ModelConfig:
    """Encoder and predictor of V-JEPA 2."""

    model_name: str = setting(REQUIRED, "encoder, such as vit_large or vit_giant_xformers")
    pred_depth: int = setting(REQUIRED, "layers of the predictor", ge=1)
    pred_embed_dim: int = setting(REQUIRED, "width of the predictor", ge=1)
    pred_num_heads: Optional[int] = setting(None, "heads of the predictor; unset: the encoder's", ge=1)
    compile_model: bool = setting(False, "torch.compile")
    use_activation_checkpointing: bool = setting(False, "trade compute for memory")
    uniform_power: bool = setting(False, "equal share of the position embedding for time, height and width")
    use_rope: bool = setting(False, "rotary position embedding")
    use_silu: bool = setting(False, "SiLU in the encoder")
    use_pred_silu: bool = setting(False, "SiLU in the predictor")
    wide_silu: bool = setting(True, "keep the hidden width with SiLU")


@dataclass
class LossConfig:
    """The prediction loss."""

    loss_exp: float = setting(REQUIRED, "exponent of the distance", gt=0)


@dataclass
class ScheduleConfig:
    """Learning rate and weight decay over a run."""

    epochs: int = setting(REQUIRED, "epochs to train", ge=1)
    warmup: float = setting(REQUIRED, "epochs of learning-rate warm-up", ge=0)
    weight_decay: float = setting(REQUIRED, "weight decay at the start", ge=0)
    final_weight_decay: float = setting(REQUIRED, "weight decay at the end", ge=0)
    start_lr: float = setting(REQUIRED, "learning rate at the start", ge=0)
    lr: float = setting(REQUIRED, "learning rate after warm-up", ge=0)
    final_lr: float = setting(REQUIRED, "learning rate at the end", ge=0)
    betas: list[float] = setting([0.9, 0.999], "betas of AdamW")
    eps: float = setting(1e-8, "epsilon of AdamW", ge=0)
