"""Still images of shapes, for trying things out: which shape is the label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from vjepa_pipe.sources.folders import new_folder
from vjepa_pipe.synthetic.shapes import KINDS, background, draw
from vjepa_pipe.synthetic.videos import DIRECTIONS, SIZES, plan_video

VERSION = 1
"""Part of the folder's name: raise it when the same seed would give other images."""

SUFFIXES = (".jpg", ".png")


def write_synthetic_images(folder: str | Path, num_images: int, seed: int = 0) -> Path:
    """Write still images of the shapes that the synthetic videos show, and the list of them.

    Each shows one to three circles, squares or triangles, all of one kind; that kind is its label, see
    `shapes.KINDS`, and every kind comes equally often. They have 240x320 to 426x240 pixels, as JPEG and PNG in turn.

    They go to a folder of their own inside `folder`, as those of `write_synthetic_videos`.

    Args:
        folder: Where to keep them; made if missing.
        num_images: How many, from 1.
        seed: Chooses the images, from 0; image i of a seed does not depend on `num_images`.

    Returns:
        Path of `images.csv`, in the layout `path label`, for `read_rows`.

    Raises:
        ValueError: An argument is out of range.
        OSError: The folder cannot be written.
    """
    if num_images < 1:
        raise ValueError(f"num_images must be >= 1 (got {num_images})")
    if seed < 0:
        raise ValueError(f"seed must be >= 0 (got {seed})")
    target = Path(folder) / f"stills-{num_images}-seed{seed}-v{VERSION}"
    if not target.is_dir():
        with new_folder(target) as draft:
            lines = []
            for index in range(num_images):
                label = index % len(KINDS)
                name = f"{index:05d}_{KINDS[label]}{SUFFIXES[index % len(SUFFIXES)]}"
                _write_image(draft / name, KINDS[label], np.random.default_rng([VERSION, seed, index]))
                lines.append(f"{name} {label}\n")
            (draft / "images.csv").write_text("".join(lines), encoding="utf-8")
    return target / "images.csv"


def _write_image(file: Path, kind: str, rng: np.random.Generator) -> None:
    """One moment of a synthetic video with shapes of one kind."""
    plan = plan_video(int(rng.integers(len(DIRECTIONS))), rng, SIZES)
    picture = background(rng, plan.hue, plan.width, plan.height)
    moment = float(rng.uniform())
    for shape in plan.shapes:
        draw(picture, replace(shape, kind=kind), moment)
    Image.fromarray(picture).save(file, quality=95)
