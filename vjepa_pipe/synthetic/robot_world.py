"""A robot's gripper moving in front of two cameras: what it did is known exactly, and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.synthetic.shapes import Image, background

Array = NDArray[np.float64]

WIDTH, HEIGHT = 320, 180
FOCAL_LENGTH = 0.75
"""In picture widths, for every camera."""
ROW_FPS = 15
BASELINE = 0.12
"""Metres from a camera's left to its right eye."""
MARKER = (235, 40, 45)
"""Red, green, blue of the disc at the gripper's position; nothing else in the picture is red."""
CAMERA_PLACES = ((1.45, 0.55, 0.75), (1.35, -0.6, 0.85))
WORKSPACE = (0.5, 0.0, 0.3)
MARKER_RADIUS, PALM, FINGER = 0.034, 0.08, 0.1
STEEL, DARK_STEEL = (205, 212, 220), (130, 138, 150)
TASKS = ("move along the table", "reach for the shelf", "draw a loop", "wipe the table")


@dataclass(frozen=True)
class Motion:
    """What a robot did during one episode.

    Attributes:
        times: When each row was recorded, in seconds from 0; `[T]`.
        states: Position in metres, angles in radians and gripper from 0 (open) to 1; `[T, 7]`.
        velocities: Of the states, per second; `[T, 7]`.
        task: What it was told to do.
    """

    times: Array
    states: Array
    velocities: Array
    task: str

    @classmethod
    def draw(cls, rng: np.random.Generator, rows: int) -> Motion:
        """A smooth motion of `rows` rows, about 15 per second with some jitter."""
        times = np.arange(rows) / ROW_FPS + rng.uniform(-0.003, 0.003, rows)
        times -= times[0]
        rate = 2 * np.pi * rng.uniform([0.14] * 3 + [0.1] * 3 + [0.2], [0.24] * 3 + [0.2] * 3 + [0.3])
        size = np.array([0.16, 0.26, 0.13, 0.25, 0.25, 0.6, 0.5]) * rng.uniform(0.8, 1.0, 7)
        centre = np.array([*WORKSPACE, np.pi, 0.0, 0.0, 0.5])
        swing = rate * times[:, None] + rng.uniform(0, 2 * np.pi, 7)
        states = centre + size * np.sin(swing)
        states[:, 3:6] = (states[:, 3:6] + np.pi) % (2 * np.pi) - np.pi
        return cls(times, states, size * rate * np.cos(swing), TASKS[rng.integers(len(TASKS))])


def camera_pose(place: tuple[float, float, float], eye: str = "left") -> Array:
    """Pose `[6]` of a camera at a place, looking at the workspace: its z axis ahead, x to the right, y down."""
    position = np.array(place)
    ahead = np.array(WORKSPACE) - position
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(ahead, right), ahead], axis=1)
    position = position + (BASELINE * right if eye == "right" else 0)
    return np.concatenate([position, _rotation().from_matrix(axes).as_euler("xyz")])


def draw_frames(states: Array, pose: Array, seed: int) -> Iterator[Image]:
    """The pictures of a camera, one for each state: uint8 `[HEIGHT, WIDTH, 3]`."""
    ground = background(np.random.default_rng(seed), 0.58, WIDTH, HEIGHT)
    camera = _rotation().from_euler("xyz", pose[3:]).inv()
    tool = _rotation().from_euler("xyz", states[:, 3:6])
    across, along = tool.apply([1.0, 0.0, 0.0]), tool.apply([0.0, 0.0, 1.0])

    def seen(points: Array) -> tuple[Array, Array]:
        local = camera.apply(points - pose[:3])
        scale = FOCAL_LENGTH * WIDTH / local[:, 2:]
        return local[:, :2] * scale + [WIDTH / 2, HEIGHT / 2], scale[:, 0]

    centre = states[:, :3]
    opening = PALM * (1 - 0.8 * states[:, 6:7])
    middle, scale = seen(centre)
    palm = [seen(centre + side * PALM * across)[0] for side in (-1, 1)]
    roots = [seen(centre + side * opening * across)[0] for side in (-1, 1)]
    tips = [seen(centre + side * opening * across + FINGER * along)[0] for side in (-1, 1)]
    for i in range(len(states)):
        picture = ground.copy()
        width = scale[i] * MARKER_RADIUS
        _capsule(picture, palm[0][i], palm[1][i], 0.45 * width, DARK_STEEL)
        for root, tip in zip(roots, tips, strict=True):
            _capsule(picture, root[i], tip[i], 0.35 * width, STEEL)
        _capsule(picture, middle[i], middle[i], width, MARKER)
        yield picture


def _rotation() -> Any:
    return import_extra("scipy.spatial.transform", "robotics").Rotation


def _capsule(picture: Image, start: Array, end: Array, radius: float, colour: tuple[int, int, int]) -> None:
    """Draw a thick line with round ends and smooth edges; pixel (0, 0) covers 0 to 1."""
    low = np.floor(np.minimum(start, end) - radius - 1).astype(int).clip(0, [picture.shape[1], picture.shape[0]])
    high = np.ceil(np.maximum(start, end) + radius + 1).astype(int).clip(0, [picture.shape[1], picture.shape[0]])
    x, y = np.arange(low[0], high[0])[None] + 0.5 - start[0], np.arange(low[1], high[1])[:, None] + 0.5 - start[1]
    way = end - start
    length = float(way @ way)
    share = np.clip((x * way[0] + y * way[1]) / length, 0, 1) if length > 0 else np.zeros((1, 1))
    cover = np.clip(radius + 0.5 - np.hypot(x - share * way[0], y - share * way[1]), 0, 1)[..., None]
    box = picture[low[1] : high[1], low[0] : high[0]]
    box[:] = (box + cover * (np.array(colour) - box)).astype(np.uint8)
