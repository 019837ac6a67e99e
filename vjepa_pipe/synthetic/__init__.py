"""Videos, still images and robot episodes of our own making, so that everything runs without a data set."""

from __future__ import annotations

from vjepa_pipe.synthetic.droid import write_synthetic_droid
from vjepa_pipe.synthetic.images import write_synthetic_images
from vjepa_pipe.synthetic.lerobot import write_synthetic_lerobot
from vjepa_pipe.synthetic.videos import DIRECTIONS, write_synthetic_videos

__all__ = [
    "DIRECTIONS",
    "write_synthetic_droid",
    "write_synthetic_images",
    "write_synthetic_lerobot",
    "write_synthetic_videos",
]
