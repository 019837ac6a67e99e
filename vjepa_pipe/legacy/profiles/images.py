"""Keys of V-JEPA 2.1 for images beside the videos: `img_data` and `img_mask` (vjepa2 `app/vjepa_2_1/train.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from vjepa_pipe.config.data_files import named_files
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import image_experiment, naming_images
from vjepa_pipe.config.training.base import REQUIRED
from vjepa_pipe.legacy.key import Key, Settings, move
from vjepa_pipe.legacy.masks import read_image_blocks, write_masks
from vjepa_pipe.legacy.profiles.video import READER, clip_lengths, dataset_type, find, one_per_dataset, paths, square

SHARED = ("data.fps", "data.patch_size", "data.tubelet_size", "data.num_workers")
"""Keys of the videos that hold for images too, unless `img_data` says otherwise."""

TEMPORAL_SIZE = "model.img_temporal_dim_size"
"""With any value, an image is one frame and one tubelet."""


def for_images(key: Key, name: str, default: Any = REQUIRED) -> Key:
    """What a key says of the videos, said of the images under another name."""

    def write(experiment: ExperimentConfig) -> Any:
        images = image_experiment(experiment)
        assert images is not None
        with naming_images(images):
            return key.write(images)

    return Key(name, f"image.{key.to}", default, lambda value: _below(key.read(value)), write, key.note)


def with_images(key: Key) -> Key:
    """A key of the videos, with what it says of images too, where it does."""

    def read(value: Any) -> Settings:
        if key.name in SHARED:
            return key.read(value) | _below(key.read(value))
        return key.read(value) | ({} if value is None else {"image.mask.tubelet_size": 1})

    if key.name == TEMPORAL_SIZE:
        return replace(key, to=f"{key.to}, image.mask.tubelet_size", read=read)
    return replace(key, read=read) if key.name in SHARED else key


def _below(settings: Settings) -> Settings:
    """Settings and choices of an experiment as those of its images."""
    return {f"image.{path}" if "." in path else f"{path}@image.{path}": value for path, value in settings.items()}


def _read_workers(value: Any) -> Settings:
    return {} if value is None else {"data.num_workers": value}


def _read_weights(value: Any) -> Settings:
    """One list needs no weight."""
    one = value is None or (isinstance(value, list) and len(value) < 2)
    return {} if one else {"data.data_weights": value}


def _write_weights(experiment: ExperimentConfig) -> list[float] | None:
    one = len(named_files(experiment.data)) == 1
    return [1.0] if one else experiment.data.data_weights


def _read_masks(value: Any) -> Settings:
    return {} if value is None else read_image_blocks(value)


_WORKERS = Key("", "data.num_workers", None, _read_workers, lambda experiment: experiment.data.num_workers)
_WEIGHTS = Key("", "data.data_weights", None, _read_weights, _write_weights)
_MASKS = Key("", "mask.masks", None, _read_masks, write_masks)

IMAGE_KEYS = (
    for_images(dataset_type(""), "img_data.dataset_type", "imagenet"),
    for_images(paths("", "data.data_paths"), "img_data.datasets"),
    for_images(_WEIGHTS, "img_data.datasets_weights", []),
    for_images(clip_lengths(""), "img_data.dataset_fpcs"),
    for_images(move("", "data.batch_size"), "img_data.batch_size"),
    for_images(square("", 512), "img_data.crop_size", 512),
    for_images(_WORKERS, "img_data.num_workers", None),
    for_images(_MASKS, "img_mask", None),
    move("img_data.rank_ratio", "image.share", 0.25),
)
IMAGES_BUILT_IN: Settings = {
    "image": "csv",
    "image.convention": "reference",
    "image.mask.convention": "reference",
    "image.data.clip_mode": "fps",
} | {f"image.{path}": value for path, value in READER.items() if path.startswith("data.")}


def masks_of_the_videos(values: Mapping[str, Any]) -> Settings:
    """Masks of images where `img_mask` leaves them to the videos."""
    return {} if values.get("img_mask") is not None else _below(read_image_blocks(values["mask"]))


def check_images(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each list of images has its weight and length; an image that is one tubelet has one frame."""
    yield from one_per_dataset("img_data", ("datasets_weights", "dataset_fpcs"))(values)
    frames = find(values, "img_data.dataset_fpcs")
    if find(values, TEMPORAL_SIZE) is not None and isinstance(frames, list) and any(one != 1 for one in frames):
        yield "img_data.dataset_fpcs", f"must be 1 with {TEMPORAL_SIZE} (got {frames})"
