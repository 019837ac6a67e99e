"""A box of pixels, and the draw that crops and erasing share."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Box(NamedTuple):
    """A box of pixels inside a frame; `top` and `left` count from the frame's first pixel."""

    top: int
    left: int
    height: int
    width: int


def draw_log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a ratio, so that r and 1/r are equally likely where both are in range."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def place(rng: np.random.Generator, height: int, width: int, frame_height: int, frame_width: int) -> Box:
    """Put a box of a given size anywhere in a frame, every place equally likely."""
    top = int(rng.integers(0, frame_height - height, endpoint=True))
    left = int(rng.integers(0, frame_width - width, endpoint=True))
    return Box(top, left, height, width)
