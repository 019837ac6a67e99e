"""preview.png: what the model is fed, drawn for a person.

For each clip, a row of its frames after augmentation, then a row for each mask: what the encoder sees
in its own colours, what the predictor must predict tinted, and what neither uses dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.mask import mask_names
from vjepa_pipe.datasets import KeyedDataset, MixedDataset, VideoDataset
from vjepa_pipe.loader import DataManager
from vjepa_pipe.loader.collate import Batch
from vjepa_pipe.sampling import SampleKey
from vjepa_pipe.storage import shown_path
from vjepa_pipe.transforms import TrainTransform

Pixels = npt.NDArray[np.uint8]

FRAMES = 8
TILE = 128
"""Side of a square frame as it is drawn; others have its area."""
GAP = 3
MARGIN = 18
LABEL_WIDTH = 92
CAPTION = 26
BACKGROUND, INK, SOFT_INK = (250, 250, 248), (30, 30, 34), (110, 110, 118)
PREDICT = np.array((255, 122, 46))
UNUSED = np.array((24, 24, 30))


def can_be_drawn(batch: Batch) -> bool:
    """Whether a batch holds clips of three channels, and the keys that they came from."""
    clips = batch.get("video", batch.get("pixel_values"))
    channels = (1, 2) if "pixel_values" in batch else (-4,)
    return (
        isinstance(clips, torch.Tensor)
        and clips.ndim in (5, 6)
        and 3 in [clips.shape[i] for i in channels]
        and {"key", "source"} <= batch.keys()
    )


def draw_preview(manager: DataManager, dataset: KeyedDataset, batch: Batch, clips: int) -> Image.Image:
    """A picture of the first clips of a batch.

    Args:
        manager: Knows the experiment.
        dataset: The dataset that the batch came from.
        batch: A collated batch with `video` `[B, C, T, H, W]` (or `[B, N, C, T, H, W]`: the first of N), or with
            `pixel_values` `[B, T, C, H, W]`.
        clips: How many clips to draw at most.

    Returns:
        An RGB image.
    """
    experiment = manager.config
    whole = batch.get("decode_ok", torch.ones(len(batch["source"]), dtype=torch.bool))
    chosen = torch.nonzero(whole).flatten().tolist()[:clips]
    still = _is_still(batch)
    together = FRAMES if still else 1
    blocks = [chosen[first : first + together] for first in range(0, len(chosen), together)]
    masks = mask_names(experiment.mask, len(batch["masks_enc"])) if "masks_enc" in batch else []
    width, height = tile = tile_size(_frames(batch, 0, experiment), TILE)
    block_height = CAPTION + (1 + len(masks)) * (height + GAP) + MARGIN
    size = (2 * MARGIN + LABEL_WIDTH + FRAMES * (width + GAP), 2 * MARGIN + CAPTION + len(blocks) * block_height)
    picture = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(picture)
    _draw_legend(pen, experiment, bool(masks))
    for place, block in enumerate(blocks):
        top = MARGIN + CAPTION + place * block_height
        for column, clip in enumerate(block):
            key: SampleKey = batch["key"][clip]
            if still:
                left, text = MARGIN + LABEL_WIDTH + column * (width + GAP), _fitting(pen, _file(dataset, key), width)
            else:
                left, text = MARGIN, _caption(dataset, key, batch["label"][clip] if "label" in batch else "none")
            pen.text((left, top + 4), text, INK, font(14))
        for row, (name, tiles) in enumerate(_rows(batch, block, still, masks, experiment)):
            y = top + CAPTION + row * (height + GAP)
            pen.text((MARGIN, y + height // 2 - 9), name, SOFT_INK, font(14))
            for column, pixels in enumerate(tiles):
                shown = Image.fromarray(pixels).resize(tile, Image.Resampling.LANCZOS)
                picture.paste(shown, (MARGIN + LABEL_WIDTH + column * (width + GAP), y))
    return picture


def tile_size(frames: Pixels, side: int) -> tuple[int, int]:
    """Width and height in which frames `[T, H, W, C]` are drawn: their proportions, and the area of a square."""
    height, width = frames.shape[1:3]
    scale = side / math.sqrt(height * width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _is_still(batch: Batch) -> bool:
    """Whether the clips of a batch are images: one frame, or the same one again and again."""
    indices = batch.get("clip_indices")
    return isinstance(indices, torch.Tensor) and indices.ndim == 2 and bool((indices == indices[:, :1]).all())


def _rows(
    batch: Batch, clips: list[int], still: bool, masks: list[str], experiment: ExperimentConfig
) -> Iterator[tuple[str, list[Pixels]]]:
    """The rows of tiles of a block: of images, one for each; else of the frames of its one clip."""
    frames = {clip: _frames(batch, clip, experiment) for clip in clips}
    if still:
        shown = [(clip, 0) for clip in clips]
    else:
        (clip,), length = clips, len(frames[clips[0]])
        shown = [(clip, round(frame)) for frame in np.linspace(0, length - 1, min(FRAMES, length)).tolist()]
    yield "image" if still else "frames", [frames[clip][frame] for clip, frame in shown]
    for i, name in enumerate(masks):
        enc, pred = batch["masks_enc"][i], batch["masks_pred"][i]
        masked = {clip: _masked(frames[clip], enc[clip], pred[clip], experiment) for clip in clips}
        yield name, [masked[clip][frame] for clip, frame in shown]


def _fitting(pen: ImageDraw.ImageDraw, text: str, width: int) -> str:
    """The end of a text that is no wider than this."""
    while pen.textlength(text, font(14)) > width:
        text = text[1:]
    return text


def _draw_legend(pen: ImageDraw.ImageDraw, experiment: ExperimentConfig, masked: bool) -> None:
    data = experiment.data
    size = f"{counted(data.frames_per_clip, 'frame')}, {data.img_size} px"
    pen.text((MARGIN, MARGIN - 6), f"{experiment.name}: {size}", INK, font(16))
    if not masked:
        return
    x = 420
    for text, colour in (("encoder sees", None), ("predictor must predict", PREDICT), ("neither", UNUSED)):
        fill = (255, 255, 255) if colour is None else tuple(int(c) for c in colour)
        pen.rectangle((x, MARGIN - 3, x + 13, MARGIN + 10), fill=fill, outline=INK)
        pen.text((x + 20, MARGIN - 5), text, SOFT_INK, font(14))
        x += 40 + int(pen.textlength(text, font(14)))


def _caption(dataset: KeyedDataset, key: SampleKey, label: Any) -> str:
    """Source, file, rate and crop of a clip, drawn again from its key."""
    if isinstance(dataset, MixedDataset):
        dataset, key = dataset.own(key)
    label = label.item() if isinstance(label, torch.Tensor) else label
    named = f"{dataset.sources[key.source].name}   label {label}"
    if not isinstance(dataset, VideoDataset):
        return f"{named}   {shown_path(dataset.sources[key.source].path(key.row))}"
    clip = dataset.read(key)
    text = f"{named}   {clip.fps:.4g} fps   {_file(dataset, key)}"
    if not isinstance(dataset.transform, TrainTransform):
        return text
    frames = clip.frames[: len(clip.indices[0])]
    params = dataset.transform.draw(dataset.augmentation_rng(key), frames.shape)
    box = params.crop.start
    moved = "" if params.crop.end is None else f" moving to ({params.crop.end.left}, {params.crop.end.top})"
    height, width = frames.shape[1:3]
    crop = f"crop {box.width}x{box.height} at ({box.left}, {box.top}) of {width}x{height}{moved}"
    return f"{text}   {crop}{', flipped' if params.flip.mirrored else ''}"


def _file(dataset: KeyedDataset, key: SampleKey) -> str:
    """The name of the file of a clip."""
    return shown_path(dataset.sources[key.source].path(key.row)).rpartition("/")[2]


def _frames(batch: Batch, clip: int, experiment: ExperimentConfig) -> Pixels:
    """A clip of the batch as uint8 `[T, H, W, C]`."""
    if "pixel_values" in batch:  # from -1 to 1
        frames = batch["pixel_values"][clip].permute(0, 2, 3, 1)
        return np.ascontiguousarray(((frames + 1) * 127.5).round().to(torch.uint8).numpy())
    video = batch["video"][clip]
    return displayable(video if video.ndim == 4 else video[0], experiment)


def displayable(video: torch.Tensor, experiment: ExperimentConfig) -> Pixels:
    """A normalised clip `[C, T, H, W]` as uint8 `[T, H, W, C]`."""
    frames = video.permute(1, 2, 3, 0)
    if video.dtype != torch.uint8:
        mean, std = torch.tensor(experiment.data_aug.normalize_mean), torch.tensor(experiment.data_aug.normalize_std)
        frames = ((frames * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(frames.numpy())


def _masked(frames: Pixels, enc: torch.Tensor, pred: torch.Tensor, experiment: ExperimentConfig) -> Pixels:
    """The frames with tokens to predict tinted and unused tokens dark."""
    tubelet, patch = experiment.mask.tubelet_size, experiment.mask.patch_size
    time, height, width = frames.shape[0] // tubelet, frames.shape[1] // patch, frames.shape[2] // patch
    role = np.zeros(time * height * width, dtype=np.uint8)
    role[pred.numpy()] = 2
    role[enc.numpy()] = 1
    pixels = role.reshape(time, height, width).repeat(tubelet, 0).repeat(patch, 1).repeat(patch, 2)[..., None]
    shown = frames[: pixels.shape[0], : pixels.shape[1], : pixels.shape[2]].astype(np.float32)
    tinted = np.where(
        pixels == 2, 0.25 * shown + 0.75 * PREDICT, np.where(pixels == 1, shown, 0.15 * shown + 0.85 * UNUSED)
    )
    return tinted.astype(np.uint8)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
