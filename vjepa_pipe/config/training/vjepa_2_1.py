"""Sections of V-JEPA 2.1 pretraining that are not data (vjepa2 `app/vjepa_2_1/train.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.training.sections import LossConfig
from vjepa_pipe.config.training.vjepa import VJepaModel, VJepaOptimization, VJepaTraining


@dataclass
class VJepa21Model(VJepaModel):
    """Encoder and predictor for images and videos."""

    is_causal: bool = setting(False, "causal attention in the encoder")
    pred_is_causal: bool = setting(False, "causal attention in the predictor")
    init_type: str = setting("default", "initialisation of the weights")
    img_temporal_dim_size: Optional[int] = setting(None, "frames that an image stands for")
    n_registers: int = setting(0, "register tokens of the encoder", ge=0)
    n_registers_predictor: int = setting(0, "register tokens of the predictor", ge=0)
    has_cls_first: bool = setting(False, "the first token is a class token")
    interpolate_rope: bool = setting(False, "scale rotary positions with the resolution")
    lambda_value_img: float = setting(0.0, "weight of the context loss on images")
    lambda_value_vid: float = setting(0.0, "weight of the context loss on videos")
    lambda_progressive: bool = setting(True, "raise those weights during training")
    normalize_predictor: bool = setting(False, "normalise the predictor's input")
    modality_embedding: bool = setting(False, "tell images from videos by an embedding")
    levels_predictor: int = setting(4, "encoder levels that are predicted", ge=1)


@dataclass
class VJepa21Loss(LossConfig):
    """The prediction loss over masked and visible tokens."""

    predict_all: bool = setting(True, "predict visible tokens too")
    shift_by_n: Optional[int] = setting(None, "predict this many slices ahead")
    weight_distance_loss: bool = setting(False, "weigh tokens by their distance to the mask")
    offset_context_loss: bool = setting(False, "leave the nearest tokens out of the context loss")


@dataclass
class VJepa21Optimization(VJepaOptimization):
    """Optimisation with loss regulation."""

    use_radamw: bool = setting(False, "RAdamW instead of AdamW")
    loss_reg_std_mult: Optional[float] = setting(None, "skip steps whose loss is this many deviations off")
    loss_reg_num_tracking_steps: int = setting(300, "steps that the deviation is taken over", ge=1)
    loss_reg_min_epoch: int = setting(50, "first epoch of loss regulation", ge=0)


@dataclass
class VJepa21Training(VJepaTraining):
    """Settings of V-JEPA 2.1's pretraining (`app: vjepa_2_1`), with its defaults.

    python launch.py --cfg job training=vjepa_2_1
    """

    model: VJepa21Model = setting(VJepa21Model(), "encoder and predictor")
    loss: VJepa21Loss = setting(VJepa21Loss(), "loss")
    optimization: VJepa21Optimization = setting(VJepa21Optimization(), "optimisation")
