"""V-JEPA 2 probes on frozen encoders: `eval_name: ...` (vjepa2 `evals/*/eval.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.training import AnticipationTraining, ImageProbeTraining, VideoProbeTraining
from vjepa_pipe.config.training.base import REQUIRED
from vjepa_pipe.legacy.key import BadValue, Key, Profile, Settings, handed_on, move, setting_of
from vjepa_pipe.legacy.profiles.video import (
    READER,
    TRANSFORM,
    clip_duration,
    dataset_type,
    find,
    frame_step,
    paths,
    square,
)

EVAL_AUG: Settings = {"data_aug": "eval", "data_aug.crop_ratio": [0.75, 4 / 3]}
"""Augmentation that the published probes have built in."""

VIDEO_PROBE_READER = READER | EVAL_AUG | {"mask": "none", "model": "none", "data.allow_clip_overlap": True}
_VIEWS = "clips of the eval loader start at fixed places; the published one draws them"
_SWALLOWED = {
    "model_kwargs.pretrain_kwargs.encoder.img_temporal_dim_size": "the V-JEPA 2 encoder swallows it; 2.1 reads it"
}
_IN_FOLDERS, _BESIDE = "{participant}/videos/{video}.MP4", "{participant}/{video}.MP4"
_WORKERS = {"max_workers": "num_workers"}


def normalization(name: str) -> Key:
    """Mean and standard deviation of the colours as one value."""

    def read(value: Any) -> Settings:
        if value is None:
            return {}
        if not isinstance(value, list) or len(value) != 2:
            raise BadValue(f"must be two lists, mean and standard deviation (got {value!r})")
        return {"data_aug.normalize_mean": value[0], "data_aug.normalize_std": value[1]}

    def write(experiment: ExperimentConfig) -> Any:
        aug = experiment.data_aug
        return [list(aug.normalize_mean), list(aug.normalize_std)]

    return Key(name, "data_aug.normalize_mean, data_aug.normalize_std", None, read, write)


def image_folders(values: Mapping[str, Any], section: str) -> Settings:
    """The train and val folders that a published image probe reads."""
    root, folder = find(values, f"{section}.root_path"), find(values, f"{section}.image_folder")
    if not isinstance(root, str):
        return {}
    base = "/".join(part.rstrip("/") for part in (root, folder) if part)
    return {"data.data_paths": [f"{base}/train"], "data.eval_data_paths": [f"{base}/val"]}


def _one_clip_mode(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    data = find(values, "experiment.data") or {}
    step, seconds = data.get("frame_step", 4), data.get("clip_duration")
    if step is not None and seconds is not None:
        given = "" if "frame_step" in data else " by default"
        yield (
            "experiment.data.clip_duration",
            f"={seconds} and experiment.data.frame_step={step}{given} are two clip modes: set one of them to null",
        )


def _timm(_: Mapping[str, Any]) -> Iterator[str]:
    yield "the published image probe trains with timm's image transforms, which are not run: see data_aug instead"


def _video_path() -> Key:
    """How videos lie below their folder."""

    def read(value: Any) -> Settings:
        return {"data.video_path": _IN_FOLDERS if value == 0 else _BESIDE}

    def write(experiment: ExperimentConfig) -> Any:
        places = (_IN_FOLDERS, _BESIDE)
        path = setting_of(experiment, "data.video_path")
        return places.index(path) if path in places else 1

    return Key("experiment.data.file_format", "data.video_path", 1, read, write)


def _fixed(name: str, to: str, default: Any = REQUIRED) -> Key:
    """A range that validation draws from, which must be one value."""

    def read(value: Any) -> Settings:
        if not isinstance(value, list) or len(value) != 2 or value[0] != value[1]:
            raise BadValue(f"must be one number twice: validation clips are at fixed places (got {value!r})")
        return {to: value[0]}

    return Key(name, to, default, read, lambda experiment: [setting_of(experiment, to)] * 2)


def _anticipation_point(values: Mapping[str, Any]) -> Iterator[str]:
    if find(values, "experiment.data.val_anticipation_point") is None:
        yield (
            "experiment.data.val_anticipation_point is not set: its default [0, 0] ends validation clips "
            "before the end of the action, not before its start"
        )


VIDEO_PROBE = Profile(
    name="V-JEPA 2 video classification probe",
    marker=("eval_name", "video_classification_frozen"),
    training="video_probe",
    keys=(
        dataset_type("experiment.data.dataset_type"),
        paths("experiment.data.dataset_train", "data.data_paths", single=True),
        paths("experiment.data.dataset_val", "data.eval_data_paths", single=True),
        square("experiment.data.resolution"),
        move("experiment.data.num_segments", "data.num_clips", 1),
        move("experiment.data.frames_per_clip", "data.frames_per_clip", 16),
        frame_step("experiment.data.frame_step", 4),
        clip_duration("experiment.data.clip_duration"),
        move("experiment.data.num_views_per_segment", "data_aug.eval_views", 1, _VIEWS),
        normalization("experiment.data.normalization"),
        move("experiment.optimization.batch_size", "data.batch_size"),
        move("num_workers", "data.num_workers", 12),
        *handed_on(VideoProbeTraining),
    ),
    built_in=VIDEO_PROBE_READER,
    dead={"experiment.optimization.use_pos_embed": "the published code never reads it"} | _SWALLOWED,
    typos=_WORKERS,
    check=_one_clip_mode,
)
IMAGE_PROBE = Profile(
    name="V-JEPA 2 image classification probe",
    marker=("eval_name", "image_classification_frozen"),
    training="image_probe",
    keys=(
        square("experiment.data.resolution"),
        normalization("experiment.data.normalization"),
        move("experiment.optimization.batch_size", "data.batch_size"),
        *handed_on(ImageProbeTraining),
    ),
    built_in=READER | EVAL_AUG | {"mask": "none", "model": "none", "data.frames_per_clip": 1, "data.num_workers": 8},
    dead={"num_workers": "the published code has 8 built in", "experiment.optimization.use_pos_embed": "never read"}
    | _SWALLOWED,
    typos=_WORKERS,
    warnings=_timm,
    finish=lambda values: image_folders(values, "experiment.data"),
)
ANTICIPATION = Profile(
    name="V-JEPA 2 action anticipation probe",
    marker=("eval_name", "action_anticipation_frozen"),
    training="anticipation",
    keys=(
        paths("experiment.data.dataset_train", "data.data_paths", single=True),
        paths("experiment.data.dataset_val", "data.eval_data_paths", single=True),
        move("experiment.data.base_path", "data.video_root"),
        _video_path(),
        move("experiment.data.train_anticipation_time_sec", "data.anticipation_time_sec"),
        move("experiment.data.train_anticipation_point", "data.anticipation_point"),
        _fixed("experiment.data.anticipation_time_sec", "data.eval_anticipation_time_sec"),
        _fixed("experiment.data.val_anticipation_point", "data.eval_anticipation_point", [0.0, 0.0]),
        move("experiment.data.num_workers", "data.num_workers", 12),
        move("experiment.data.pin_memory", "loader.pin_memory", True),
        move("experiment.data.frames_per_clip", "data.frames_per_clip"),
        move("experiment.data.frames_per_second", "data.target_fps"),
        square("experiment.data.resolution"),
        move("experiment.data.auto_augment", "data_aug.auto_augment"),
        move("experiment.data.motion_shift", "data_aug.motion_shift"),
        move("experiment.data.reprob", "data_aug.random_erasing"),
        move("experiment.data.random_resize_scale", "data_aug.crop_scale"),
        move("experiment.optimization.batch_size", "data.batch_size"),
        *handed_on(AnticipationTraining),
    ),
    built_in=TRANSFORM
    | EVAL_AUG
    | {"data": "epic_kitchens", "data.convention": "reference", "mask": "none", "data_aug.horizontal_flip": True},
    warnings=_anticipation_point,
)
