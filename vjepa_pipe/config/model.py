"""Which frozen encoder is probed: group `model/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.training.sizes import ENCODERS

CHECKPOINT_PARTS = ("target_encoder", "encoder")


@dataclass
class ModelConfig:
    """No model: batches are streamed, and what learns from them is elsewhere.

    python launch.py model=none
    """


@dataclass
class EncoderConfig(ModelConfig):
    """An encoder of your own: `_target_` gives a `torch.nn.Module` from clips `[B, C, T, H, W]` to tokens `[B, N, D]`.

    python launch.py --plugin my_encoder.py task=probe model=own model._target_=my_encoder.Patches
    """

    extra_args: dict[str, Any] = setting({}, "further keyword arguments, for a `_target_` of your own")
    _target_: str = setting("???", "what is built from this group")


@dataclass
class VJepa2TinyConfig(EncoderConfig):
    """A tiny V-JEPA 2 encoder whose random weights follow from the seed: it needs no files.

    python launch.py task=probe model=vjepa2_tiny
    """

    model_name: str = setting("vit_nano", "name of its size", choices=tuple(ENCODERS))
    patch_size: int = setting(16, "side of a token, in pixels", ge=1, le=1024)
    tubelet_size: int = setting(2, "frames of a token", ge=1, le=64)
    _target_: str = setting("vjepa_pipe.models.frozen.random_encoder", "what is built from this group")


@dataclass
class PretrainedModelConfig(EncoderConfig):
    """A V-JEPA 2 encoder from the Hugging Face hub, from a folder of it, or from a checkpoint of the published trainer.

    python launch.py task=probe data=ssv2 model=pretrained model.path=facebook/vjepa2-vitl-fpc64-256
    """

    path: str = setting("???", "hub id, folder with config.json, or checkpoint (.pt)", path=True)
    checkpoint_key: Optional[str] = setting(
        None, "which encoder of a checkpoint; unset: target_encoder, else encoder", choices=CHECKPOINT_PARTS
    )
    model_name: Optional[str] = setting(
        None, "name of the size of a checkpoint's encoder; unset: as its weights say", choices=tuple(ENCODERS)
    )
    out_layers: Optional[list[int]] = setting(
        None, "layers, from 0, whose tokens the probe sees one after the other; unset: the last", ge=0, le=1000
    )
    _target_: str = setting("vjepa_pipe.models.frozen.pretrained_encoder", "what is built from this group")
