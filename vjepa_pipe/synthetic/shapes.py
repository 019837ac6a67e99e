"""Pictures for the synthetic videos: shapes with smooth edges over a soft background."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KINDS = ("circle", "square", "triangle")
Image = NDArray[np.uint8]
_Plane = NDArray[np.float32]
_SHADOW = 0.35
"""How dark the shadow is, and in radii how far it falls down and how soft it is."""


@dataclass(frozen=True)
class Shape:
    """A shape on its way across the picture.

    Attributes:
        kind: One of `KINDS`.
        radius: From the centre to the outermost point, in pixels.
        colour: Red, green, blue, from 0 to 255.
        start: Centre in the first frame: x to the right and y down, in pixels.
        end: Centre in the last frame.
        angle: Rotation in the first frame, in radians.
        turn: Rotation over the whole video, in radians.
    """

    kind: str
    radius: float
    colour: tuple[float, float, float]
    start: tuple[float, float]
    end: tuple[float, float]
    angle: float
    turn: float


def background(rng: np.random.Generator, hue: float, width: int, height: int) -> Image:
    """A gradient of two muted tones with faint waves and grain.

    Args:
        rng: Draws the gradient's direction, the waves and the grain.
        hue: Colour angle of the lighter tone, from 0 to 1.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.

    Returns:
        uint8 `[height, width, 3]`.
    """
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    slope = rng.uniform(0, 2 * np.pi)
    mix = 0.5 + (x * np.cos(slope) + y * np.sin(slope)) / np.sqrt(2)
    for _ in range(4):
        along_x, along_y, phase = rng.uniform(-14, 14), rng.uniform(-14, 14), rng.uniform(0, 2 * np.pi)
        mix = mix + 0.06 * np.sin(along_x * x + along_y * y + phase)
    light = 255 * np.array(colorsys.hls_to_rgb(hue, 0.42, 0.28))
    dark = 255 * np.array(colorsys.hls_to_rgb((hue + 0.12) % 1, 0.15, 0.4))
    picture = dark + mix[..., None] * (light - dark) + rng.normal(0, 1.5, (height, width, 1))
    pixels: Image = np.clip(picture, 0, 255).astype(np.uint8)
    return pixels


def draw(picture: Image, shape: Shape, progress: float) -> None:
    """Draw a shape and its shadow into a picture.

    Args:
        picture: uint8 `[height, width, 3]`, changed in place.
        shape: What to draw; it may lie partly outside.
        progress: Share of the way it has gone, from 0 to 1.
    """
    centre_x, centre_y = (a + progress * (b - a) for a, b in zip(shape.start, shape.end, strict=True))
    reach = 1.6 * shape.radius + 2
    left, right = (int(np.clip(centre_x + side, 0, picture.shape[1])) for side in (-reach, reach + 1))
    top, bottom = (int(np.clip(centre_y + side, 0, picture.shape[0])) for side in (-reach, reach + 1))
    x = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(centre_x)
    y = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(centre_y)
    angle = shape.angle + progress * shape.turn

    box = picture[top:bottom, left:right]
    offset = _distance(shape.kind, x, y - _SHADOW * shape.radius, angle, shape.radius)
    shadow = _SHADOW * np.clip(0.5 - offset / (_SHADOW * shape.radius), 0, 1)
    cover = np.clip(0.5 - _distance(shape.kind, x, y, angle, shape.radius), 0, 1)
    shine = 1 - 0.25 * y / shape.radius  # lit from above
    colour = np.clip(np.array(shape.colour, np.float32) * shine[..., None], 0, 255)
    ground = box * (1 - shadow[..., None])
    box[:] = (ground + cover[..., None] * (colour - ground)).astype(np.uint8)


def _distance(kind: str, x: _Plane, y: _Plane, angle: float, radius: float) -> _Plane:
    """Pixels to the edge of a shape around the origin, negative inside."""
    if kind == "circle":
        return np.hypot(x, y) - np.float32(radius)
    # A regular polygon is where all of its sides' half-planes meet.
    sides = {"square": 4, "triangle": 3}[kind]
    normals = angle + 2 * np.pi * np.arange(sides) / sides
    depths = [x * np.float32(np.cos(a)) + y * np.float32(np.sin(a)) for a in normals]
    farthest: _Plane = np.maximum.reduce(depths)
    return farthest - np.float32(radius * np.cos(np.pi / sides))
