"""Sizes of the encoders that `model_name` names (vjepa2 `src/models/vision_transformer.py`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EncoderSize:
    """A vision transformer.

    Attributes:
        width: Numbers in a token.
        depth: Layers.
        heads: Attention heads of each layer.
        mlp_ratio: Width of a layer's MLP, relative to `width`.
    """

    width: int
    depth: int
    heads: int
    mlp_ratio: float = 4.0


ENCODERS = {
    "vit_nano": EncoderSize(96, 4, 3),  # not published: trains on a CPU
    "vit_tiny": EncoderSize(192, 12, 3),
    "vit_small": EncoderSize(384, 12, 6),
    "vit_base": EncoderSize(768, 12, 12),
    "vit_large": EncoderSize(1024, 24, 16),
    "vit_huge": EncoderSize(1280, 32, 16),
    "vit_giant": EncoderSize(1408, 40, 16, 48 / 11),
    "vit_giant_xformers": EncoderSize(1408, 40, 22, 48 / 11),
    "vit_gigantic": EncoderSize(1664, 48, 16),  # the published code misspells their mlp_ratio, which leaves 4
    "vit_gigantic_xformers": EncoderSize(1664, 48, 26),
}
