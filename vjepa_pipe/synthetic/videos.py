"""Videos of moving shapes, for trying things out: where they move is the label."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vjepa_pipe.sources.folders import new_folder
from vjepa_pipe.synthetic.shapes import KINDS, Shape, background, draw

DIRECTIONS = ("right", "up_right", "up", "up_left", "left", "down_left", "down", "down_right")
"""What the labels 0 to 7 mean: steps of 45 degrees against the clock, seen on the screen, from right."""

VERSION = 1
"""Part of the folder's name: raise it when the same seed would give other videos."""

_FRAME_RATES = tuple(Fraction(rate) for rate in ("12", "15", "24", "25", "30000/1001", "30", "50"))
SIZES = ((320, 240), (340, 256), (426, 240), (240, 320), (256, 256))
_SMALL_SIZES = ((128, 96), (136, 102), (144, 96), (96, 128), (112, 112))
_KEYFRAME_INTERVALS = (12, 48, 250)
_SECONDS = (2.0, 5.0)
_TRIES = 12
"""Shapes drawn in search of three that stay apart."""


@dataclass(frozen=True)
class VideoPlan:
    """Everything that is drawn by chance for one video, but for the background's texture.

    Attributes:
        width: In pixels.
        height: In pixels.
        rate: Frames per second.
        frames: How many.
        keyframe_interval: Frames from one key frame to the next.
        hue: Colour angle of the background, from 0 to 1.
        shapes: What moves over it.
    """

    width: int
    height: int
    rate: Fraction
    frames: int
    keyframe_interval: int
    hue: float
    shapes: tuple[Shape, ...]


def write_synthetic_videos(
    folder: str | Path,
    num_videos: int,
    seed: int = 0,
    on_video: Callable[[int, int], None] | None = None,
    small: bool = False,
) -> Path:
    """Write H.264 videos of moving shapes, and the list of them.

    Each video shows one to three circles, squares or triangles that move at even speed in one of eight
    directions; that direction is its label, see `DIRECTIONS`, and every direction comes equally often.
    A mirrored clip therefore shows another class. Videos last 2 to 5 seconds, at 12 to 50 frames
    per second, from 240x320 to 426x240 pixels (small: 96x128 to 144x96), with B-frames and with near and far keyframes.

    The videos go to a folder of their own inside `folder`, named by number and seed. It appears when it is
    complete, so several processes may call this at once; when it is there already, nothing is written.
    The same arguments give the same pictures; the encoder's bytes may differ from one FFmpeg to the next.

    Args:
        folder: Where to keep them; made if missing.
        num_videos: How many, from 1.
        seed: Chooses the videos, from 0; video i of a seed does not depend on `num_videos`.
        on_video: Called after each video with how many are written and how many there will be.
        small: Write smaller pictures, which cost less to decode.

    Returns:
        Path of `videos.csv`, in the layout `path label`, for `read_rows`.

    Raises:
        ValueError: An argument is out of range.
        OSError: The folder cannot be written.
    """
    if num_videos < 1:
        raise ValueError(f"num_videos must be >= 1 (got {num_videos})")
    if seed < 0:
        raise ValueError(f"seed must be >= 0 (got {seed})")
    target = Path(folder) / f"{'small-' if small else ''}shapes-{num_videos}-seed{seed}-v{VERSION}"
    if not target.is_dir():
        with new_folder(target) as draft:
            lines = []
            for index in range(num_videos):
                label = index % len(DIRECTIONS)
                name = f"{index:05d}_{DIRECTIONS[label]}.mp4"
                _write_video(draft / name, label, np.random.default_rng([VERSION, seed, index]), small)
                lines.append(f"{name} {label}\n")
                if on_video is not None:
                    on_video(index + 1, num_videos)
            (draft / "videos.csv").write_text("".join(lines), encoding="utf-8")
    return target / "videos.csv"


def _write_video(file: Path, label: int, rng: np.random.Generator, small: bool) -> None:
    plan = plan_video(label, rng, _SMALL_SIZES if small else SIZES)
    ground = background(rng, plan.hue, plan.width, plan.height)
    with av.open(str(file), "w") as container:
        # One thread, so that the same pictures give the same bytes.
        options = {"preset": "veryfast", "crf": "20", "bf": "2", "g": str(plan.keyframe_interval), "threads": "1"}
        stream = container.add_stream("libx264", rate=plan.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = plan.width, plan.height, "yuv420p"
        for index in range(plan.frames):
            picture = ground.copy()
            for shape in plan.shapes:
                draw(picture, shape, index / (plan.frames - 1))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p", threads=1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def plan_video(label: int, rng: np.random.Generator, sizes: Sequence[tuple[int, int]]) -> VideoPlan:
    """Draw a video.

    Args:
        label: Index of the direction, see `DIRECTIONS`.
        rng: Draws everything else.
        sizes: Width and height that it may have, in pixels.
    """
    width, height = sizes[int(rng.integers(len(sizes)))]
    rate = _FRAME_RATES[rng.integers(len(_FRAME_RATES))]
    hue = rng.uniform()
    return VideoPlan(
        width=width,
        height=height,
        rate=rate,
        frames=round(rng.uniform(*_SECONDS) * rate),
        keyframe_interval=_KEYFRAME_INTERVALS[rng.integers(len(_KEYFRAME_INTERVALS))],
        hue=hue,
        shapes=_shapes(label, width, height, hue, rng),
    )


def _shapes(label: int, width: int, height: int, hue: float, rng: np.random.Generator) -> tuple[Shape, ...]:
    """One to three shapes that do not cover each other; fewer when there is no room."""
    wanted = rng.integers(1, 4)
    shapes: list[Shape] = []
    for _ in range(_TRIES):
        # Away from the background's hue and from each other's.
        shape = _shape(label, width, height, (hue + 0.2 + 0.2 * len(shapes) + rng.uniform(0, 0.15)) % 1, rng)
        if all(_apart(shape, other) for other in shapes):
            shapes.append(shape)
        if len(shapes) == wanted:
            break
    return tuple(shapes)


def _apart(one: Shape, other: Shape) -> bool:
    """Whether two shapes never touch: both move evenly, so their distance is looked at on five places of the way."""
    share = np.linspace(0, 1, 5)[:, None]
    a, b = (np.array(shape.start) * (1 - share) + np.array(shape.end) * share for shape in (one, other))
    return bool((np.hypot(*(a - b).T) > one.radius + other.radius).all())


def _shape(label: int, width: int, height: int, hue: float, rng: np.random.Generator) -> Shape:
    """A light, strongly coloured shape that crosses most of the picture and never leaves it."""
    angle = np.pi / 4 * label
    heading = np.array([np.cos(angle), -np.sin(angle)])  # y points down in pictures
    radius = rng.uniform(0.07, 0.12) * min(width, height)
    room = np.array([width, height]) - 2 * (radius + 2)
    with np.errstate(divide="ignore"):
        longest = float(np.min(room / np.abs(np.round(heading, 6))))
    way = rng.uniform(0.6, 0.9) * longest * heading
    slack = np.maximum(room - np.abs(way), 0) / 2
    middle = np.array([width, height]) / 2 + rng.uniform(-slack, slack)
    start, end = middle - way / 2, middle + way / 2
    colour = colorsys.hls_to_rgb(hue, 0.62, 0.85)
    return Shape(
        kind=KINDS[rng.integers(len(KINDS))],
        radius=float(radius),
        colour=(255 * colour[0], 255 * colour[1], 255 * colour[2]),
        start=(float(start[0]), float(start[1])),
        end=(float(end[0]), float(end[1])),
        angle=float(rng.uniform(0, 2 * np.pi)),
        turn=float(rng.uniform(-1.5, 1.5)),
    )
