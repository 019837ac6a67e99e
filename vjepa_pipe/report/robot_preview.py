"""preview.png for robot data: frames with the gripper's path drawn in, and its state and action below each.

For each view of each clip, a row of frames after augmentation: the path of the gripper over the whole clip (where
`data.focal_length` and the camera's pose say where it is), a ring where it is now, an arrow to where it goes next. In
the strip below: a bar for the gripper (full is closed), and the action seen from above: x up and y to the left, as from
behind the robot, with a bar to its right for z. States that are no poses have a bar for each number instead, from its
least to its most in the clip. The lines at the top say what is read of each source.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

from vjepa_pipe.datasets import RobotClip, RobotDataset
from vjepa_pipe.loader import DataManager
from vjepa_pipe.loader.collate import Batch
from vjepa_pipe.report.preview import (
    BACKGROUND,
    CAPTION,
    FRAMES,
    GAP,
    INK,
    MARGIN,
    SOFT_INK,
    displayable,
    font,
    tile_size,
)
from vjepa_pipe.robotics import project
from vjepa_pipe.sampling import SampleKey

Points = npt.NDArray[np.float64]

TILE = 160
STRIP = 46
STRIP_WIDTH = 116
"""Room that the strip needs, where frames are narrower."""
LABEL_WIDTH = 84
PATH, NOW, ACTION, GRIPPER = (255, 196, 61), (255, 255, 255), (64, 224, 208), (92, 118, 168)
POSE = 6
LINE = 16
"""Height of a line of small text."""


def draw_robot_preview(manager: DataManager, dataset: RobotDataset, batch: Batch, clips: int) -> Image.Image:
    """A picture of the first clips of a batch.

    Args:
        manager: Knows the experiment.
        dataset: The dataset that the batch came from.
        batch: A collated batch with `video` `[B, C, T, H, W]` or `[B, V, C, T, H, W]`.
        clips: How many clips to draw at most.

    Returns:
        An RGB image.
    """
    experiment = manager.config
    keys = batch["key"][:clips]
    columns = min(FRAMES, batch["video"].shape[-3])
    views = len(batch["camera"][0])
    width, height = tile = tile_size(displayable(_views(batch["video"][0])[0], experiment), TILE)
    pitch = max(width, STRIP_WIDTH) + GAP
    head = 2 * MARGIN + CAPTION + LINE * len(dataset.description)
    block = CAPTION + views * (height + STRIP + GAP) + MARGIN
    size = (2 * MARGIN + LABEL_WIDTH + columns * pitch, head + len(keys) * block)
    picture = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(picture)
    timing = f"{dataset.robotics.temporal_sampling} time, {dataset.robotics.action} actions"
    title = f"{experiment.name}: {experiment.data.frames_per_clip} frames, {experiment.data.img_size} px, {timing}"
    pen.text((MARGIN, MARGIN - 6), title, INK, font(16))
    for number, line in enumerate(dataset.description):
        pen.text((MARGIN, MARGIN + CAPTION + LINE * number - 4), line, SOFT_INK, font(12))
    for number, key in enumerate(keys):
        clip = dataset.read(key)
        top = head - MARGIN + number * block
        pen.text((MARGIN, top + 4), _caption(clip, batch["source"][number]), INK, font(14))
        for view, video in enumerate(_views(batch["video"][number])):
            y = top + CAPTION + view * (height + STRIP + GAP)
            name = clip.views[view].name.replace("_mp4_path", "").rpartition(".")[2]
            pen.text((MARGIN, y + height // 2 - 9), name[-12:], SOFT_INK, font(13))
            path = _path(dataset, clip, key, view, tile)
            frames = displayable(video, experiment)
            for column, frame in enumerate(np.linspace(0, len(frames) - 1, columns).round().astype(int)):
                x = MARGIN + LABEL_WIDTH + column * pitch
                shown = Image.fromarray(frames[frame]).resize(tile, Image.Resampling.LANCZOS)
                state, rest = divmod(int(frame), dataset.robotics.frameskip)
                if path is not None:
                    _draw_path(ImageDraw.Draw(shown), path, state if rest == 0 else None)
                picture.paste(shown, (x, y))
                if rest == 0 and dataset.robotics.enabled:
                    if dataset.has_poses:
                        _draw_strip(pen, (x, y + height + 4), clip, state)
                    else:
                        _draw_bars(pen, (x, y + height + 4), clip, state, pitch - GAP)
    return picture


def _views(videos: torch.Tensor) -> torch.Tensor:
    """The views of a clip, `[V, C, T, H, W]`."""
    return videos if videos.ndim == 5 else videos[None]


def _caption(clip: RobotClip, source: str) -> str:
    """Source, episode, rows and task of a clip."""
    folder = clip.path.rstrip("/").rpartition("/")[2]
    return f"{source}   {folder}   rows {clip.rows[0]} to {clip.rows[-1]}   header {clip.fps:g} fps   {clip.task}"


def _path(dataset: RobotDataset, clip: RobotClip, key: SampleKey, view: int, tile: tuple[int, int]) -> Points | None:
    """Where the gripper is on the frames of a view as they are drawn, `[S, 2]`; None where the data does not tell."""
    focal = dataset.config.focal_length
    if focal is None or clip.extrinsics is None or not dataset.has_poses:
        return None
    height, width = clip.frames[view].shape[1:3]
    points = project(clip.states[:, :3], clip.extrinsics[view], focal, width, height)
    top, left, box_height, box_width = dataset.crop_box(key, clip, view)
    return (points - [left, top]) / [box_width, box_height] * tile


def _draw_path(pen: ImageDraw.ImageDraw, path: Points, now: int | None) -> None:
    seen = [(float(x), float(y)) for x, y in path[np.isfinite(path).all(axis=1)]]
    if len(seen) > 1:
        pen.line(seen, PATH, 1)
    for x, y in seen:
        pen.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), PATH)
    if now is None or not np.isfinite(path[now]).all():
        return
    x, y = path[now]
    pen.ellipse((x - 6, y - 6, x + 6, y + 6), outline=NOW, width=2)
    if now + 1 < len(path) and np.isfinite(path[now + 1]).all():
        _arrow(pen, path[now], path[now + 1], ACTION)


def _draw_strip(pen: ImageDraw.ImageDraw, corner: tuple[int, int], clip: RobotClip, state: int) -> None:
    """The gripper, if there is one, and the action seen from above."""
    x, y = corner
    bottom = y + STRIP - 10
    if clip.states.shape[1] > POSE:
        gripper = float(np.clip(clip.states[state, -1], 0, 1))
        pen.rectangle((x + 4, y, x + 14, bottom), outline=GRIPPER)
        pen.rectangle((x + 4, bottom - gripper * (bottom - y), x + 14, bottom), fill=GRIPPER)
    if state + 1 >= len(clip.states):
        return
    steps = np.diff(clip.states[:, :3], axis=0)
    longest = max(float(np.abs(steps).max()), 1e-6)
    reach, middle = (bottom - y) / 2, np.array([x + 60.0, (y + bottom) / 2])
    forward, left, up = steps[state] / longest * reach
    pen.ellipse((middle[0] - 1, middle[1] - 1, middle[0] + 1, middle[1] + 1), SOFT_INK)
    _arrow(pen, middle, middle - np.array([left, forward]), INK)
    pen.line((x + 100, middle[1], x + 112, middle[1]), SOFT_INK)
    pen.line((x + 106, middle[1], x + 106, middle[1] - up), INK, 3)


def _draw_bars(pen: ImageDraw.ImageDraw, corner: tuple[int, int], clip: RobotClip, state: int, room: int) -> None:
    """A bar for each number, as far as there is room for."""
    x, y = corner
    bottom = y + STRIP - 10
    low, high = clip.states.min(0), clip.states.max(0)
    filled = (clip.states[state] - low) / np.maximum(high - low, 1e-9)
    width = max(2, room // max(len(filled), 8) - 2)
    for number, share in enumerate(filled[: room // (width + 2)]):
        left = x + number * (width + 2)
        pen.rectangle((left, bottom - float(share) * (bottom - y), left + width - 1, bottom), fill=GRIPPER)


def _arrow(pen: ImageDraw.ImageDraw, start: Points, end: Points, colour: tuple[int, int, int]) -> None:
    pen.line((*start, *end), colour, 2)
    way = end - start
    length = float(np.hypot(*way))
    if length < 4:
        return
    ahead, side = way / length * 6, np.array([-way[1], way[0]]) / length * 3.5
    pen.polygon([tuple(end), tuple(end - ahead + side), tuple(end - ahead - side)], colour)
