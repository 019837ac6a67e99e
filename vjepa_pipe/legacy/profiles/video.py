"""Keys that several profiles share: which clips, and how they are augmented."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.training.base import REQUIRED
from vjepa_pipe.legacy.key import BadValue, Key, Settings, move

POLICY = "rand-m7-n4-mstd0.5-inc1"
"""The RandAugment policy that the published transforms have built in."""

TRANSFORM: Settings = {"data_aug.rand_augment": POLICY, "data_aug.rand_augment_order": "before_crop"}
"""What the published transforms do without a key."""

READER: Settings = {"data": "csv", "data.convention": "reference", "data.max_file_bytes": 10**9} | TRANSFORM
"""What the published video dataset and transforms do without a key."""


def dataset_type(name: str) -> Key:
    """The choice between videos and ImageNet; only videos have a loader in the published trainers."""

    def read(value: Any) -> Settings:
        if str(value).lower() != "videodataset":
            raise BadValue(f"must be VideoDataset (got {value!r}): other types have no counterpart here")
        return {}

    return Key(name, "data", "VideoDataset", read, lambda _: "VideoDataset")


def paths(name: str, to: str, single: bool = False) -> Key:
    """Annotation files.

    Args:
        name: The key.
        to: Where they go.
        single: The published code expects one file, not a list.
    """

    def read(value: Any) -> Settings:
        return {to: value if isinstance(value, list) else [value]}

    def write(experiment: ExperimentConfig) -> Any:
        from vjepa_pipe.legacy.paths import named_paths

        found = named_paths(experiment.data, to)
        return found[0] if single and len(found) == 1 else found

    return Key(name, to, REQUIRED, read, write)


def clip_lengths(name: str) -> Key:
    """Frames per clip, source by source."""

    def read(value: Any) -> Settings:
        if not isinstance(value, list) or not all(isinstance(v, int) for v in value) or not value:
            raise BadValue(f"must be a list of whole numbers, one for each dataset (got {value!r})")
        if len(set(value)) == 1:
            return {"data.frames_per_clip": value[0]}
        return {"data.frames_per_clip": max(value), "data.frames_per_clip_by_source": value}

    def write(experiment: ExperimentConfig) -> Any:
        from vjepa_pipe.legacy.paths import named_paths

        data = experiment.data
        return data.frames_per_clip_by_source or [data.frames_per_clip] * len(named_paths(data, "data.data_paths"))

    return Key(name, "data.frames_per_clip", REQUIRED, read, write)


def frame_step(name: str, default: Any, note: str = "") -> Key:
    """Source frames between the frames of a clip."""

    def read(value: Any) -> Settings:
        return {} if value is None else {"data.clip_mode": "frame_step", "data.frame_step": value}

    def write(experiment: ExperimentConfig) -> Any:
        return (experiment.data.frame_step or 4) if experiment.data.clip_mode == "frame_step" else None

    return Key(name, "data.frame_step", default, read, write, note)


def clip_duration(name: str, note: str = "") -> Key:
    """Seconds that a clip spans; stands after `frame_step`, which it replaces."""

    def read(value: Any) -> Settings:
        if value is None:
            return {}
        return {"data.clip_mode": "duration", "data.clip_duration_sec": value, "data.frame_step": None}

    def write(experiment: ExperimentConfig) -> Any:
        return (experiment.data.clip_duration_sec or 3.2) if experiment.data.clip_mode == "duration" else None

    return Key(name, "data.clip_duration_sec", None, read, write, note)


def crop_and_colour() -> Iterator[Key]:
    """The `data_aug` section of the pretraining apps."""
    yield move("data_aug.random_resize_aspect_ratio", "data_aug.crop_ratio", [3 / 4, 4 / 3])
    yield move("data_aug.random_resize_scale", "data_aug.crop_scale", [0.3, 1.0])
    yield move("data_aug.motion_shift", "data_aug.motion_shift", False)
    yield move("data_aug.reprob", "data_aug.random_erasing", 0.0)
    yield move("data_aug.auto_augment", "data_aug.auto_augment", False)


def square(name: str, default: int = 224) -> Key:
    """The side of clips: the published code crops squares."""

    def read(value: Any) -> Settings:
        if isinstance(value, list):
            raise BadValue(f"must be one number (got {value}): the published code crops squares")
        return {"data.img_size": value}

    def write(experiment: ExperimentConfig) -> Any:
        size = experiment.data.img_size
        return size if isinstance(size, int) else default  # what cannot be said is named beside it

    return Key(name, "data.img_size", default, read, write)


def one_per_dataset(section: str, names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]]:
    """A check that lists have an entry for each dataset."""

    def check(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        datasets = find(values, f"{section}.datasets")
        for name in names:
            given = find(values, f"{section}.{name}")
            if isinstance(datasets, list) and isinstance(given, list) and len(given) != len(datasets):
                yield (
                    f"{section}.{name}",
                    f"must have {counted(len(datasets), 'value')}, one for each dataset (got {given})",
                )

    return check


def warm_up_within_training(values: Mapping[str, Any]) -> Iterator[str]:
    """A warm-up longer than the run never reaches the learning rate that the file names."""
    warmup, epochs = find(values, "optimization.warmup"), find(values, "optimization.epochs")
    scale = find(values, "optimization.ipe_scale") or 1.0
    if isinstance(warmup, (int, float)) and isinstance(epochs, int) and warmup > epochs * scale:
        yield (
            f"optimization.warmup={warmup} epochs is longer than the training of {epochs}: "
            "the learning rate never leaves its warm-up"
        )


def find(values: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted path of nested dicts; None if there is none."""
    node: Any = values
    for name in key.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node
