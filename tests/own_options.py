"""Options of a user's own, as one would write them in a module beside a launch script."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_pipe import MaskConfig
from vjepa_pipe.config.fields import setting


@dataclass
class RandomMaskConfig(MaskConfig):
    """Tokens hidden one by one, wherever they are. python launch.py mask=random mask.ratio=0.5"""

    ratio: float = setting(0.75, "share of the tokens that are hidden", gt=0, lt=1)
    blocks_per_frame: int = setting(4, "blocks in each frame", ge=1, le=64)


@dataclass
class PlainMaskConfig(MaskConfig):
    ratio: float = 0.5


@dataclass
class Unrelated:
    ratio: float = 0.5
