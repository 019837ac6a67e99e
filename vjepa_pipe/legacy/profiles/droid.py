"""V-JEPA 2-AC on robot video: `app: vjepa_droid` (vjepa2 `app/vjepa_droid/train.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.robot_data import DROID_NAMES, RobotDataConfig, with_droid_names
from vjepa_pipe.config.training import DroidTraining
from vjepa_pipe.config.training.base import REQUIRED
from vjepa_pipe.legacy.key import BadValue, Key, Profile, Settings, handed_on, move
from vjepa_pipe.legacy.profiles.video import TRANSFORM, crop_and_colour, find, paths, square, warm_up_within_training


def _read_lengths(value: Any) -> Settings:
    if not isinstance(value, list) or not value or not all(isinstance(v, int) for v in value):
        raise BadValue(f"must be a list of whole numbers (got {value!r})")
    return {"data.frames_per_clip": max(value)}


def _write_lengths(experiment: ExperimentConfig) -> list[int]:
    return [experiment.data.frames_per_clip]


def _read_rate(value: Any) -> Settings:
    """`robotics=droid` takes its rate from the data's; without a rate every row is taken."""
    return {"robotics.fps": None} if value is None else {"data.target_fps": value}


def _write_rate(experiment: ExperimentConfig) -> float | None:
    return experiment.robotics.fps if experiment.robotics.enabled else experiment.data.target_fps


def _read_cameras(value: Any) -> Settings:
    if not isinstance(value, list) or not value:
        raise BadValue(f"must be a list of the metadata's camera names, such as left_mp4_path (got {value!r})")
    return {"data.cameras": value}


def _write_cameras(experiment: ExperimentConfig) -> list[str]:
    data = experiment.data
    return with_droid_names(data).cameras if isinstance(data, RobotDataConfig) else DROID_NAMES.cameras


def _check(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    datasets = find(values, "data.datasets")
    if isinstance(datasets, list) and len(datasets) > 1:
        yield "data.datasets", f"must name one file: the published code reads only the first (got {datasets})"


def _warnings(values: Mapping[str, Any]) -> Iterator[str]:
    yield from warm_up_within_training(values)
    scale = find(values, "data_aug.random_resize_scale")
    if isinstance(scale, list) and len(scale) == 2 and all(isinstance(v, (int, float)) and v > 1 for v in scale):
        yield (
            f"data_aug.random_resize_scale={scale} asks for more than the whole frame, which no crop meets: "
            "every crop is the centre one, as wide as data_aug.random_resize_aspect_ratio allows"
        )


DROID = Profile(
    name="V-JEPA 2-AC training on robot video",
    marker=("app", "vjepa_droid"),
    training="vjepa_droid",
    keys=(
        paths("data.datasets", "data.data_paths"),
        Key("data.dataset_fpcs", "data.frames_per_clip", REQUIRED, _read_lengths, _write_lengths),
        move("data.batch_size", "data.batch_size"),
        Key("data.fps", "data.target_fps", None, _read_rate, _write_rate),
        Key("data.camera_views", "data.cameras", ["left_mp4_path"], _read_cameras, _write_cameras),
        move("data.camera_frame", "robotics.camera_frame", False),
        square("data.crop_size", 256),
        move("data.patch_size", "mask.patch_size"),
        move("data.tubelet_size", "mask.tubelet_size", note="the model's; the published dataset has 1 built in"),
        move("data.pin_mem", "loader.pin_memory", False),
        move("data.num_workers", "data.num_workers", 1),
        move("data.persistent_workers", "loader.persistent_workers", True),
        move("data_aug.horizontal_flip", "data_aug.horizontal_flip", False, "refused: it mirrors pixels, not actions"),
        *crop_and_colour(),
        move("meta.seed", "seed", 0, "seeds every draw of the data; the published sampler always takes 0"),
        move("optimization.ipe", "loader.iterations_per_epoch", None),
        *handed_on(DroidTraining),
    ),
    built_in=TRANSFORM
    | {
        "data": "droid",
        "data_aug": "robotics",
        "mask": "none",
        "robotics": "droid",
        "robotics.temporal_sampling": "reference",
        "robotics.frameskip": 1,
    },
    built_in_notes={
        "robotics.temporal_sampling": "trusts the fps of the mp4 header: raw DROID says 60 for 15 rows a second, so "
        "clips span four times as long as data.fps says; physical goes by the rows",
    },
    dead={
        "meta.eval_freq": "the published code never reads it",
        "loss.reg_coeff": "the published code never reads it",
        "data.stereo_view": "read, then ignored by the published dataset",
    },
    check=_check,
    warnings=_warnings,
)
