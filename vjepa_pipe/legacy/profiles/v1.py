"""V-JEPA 1: pretraining (jepa `app/vjepa/train.py`) and probes (`evals/*/eval.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.training import JepaTraining, V1ImageProbeTraining, V1VideoProbeTraining
from vjepa_pipe.config.training.base import REQUIRED
from vjepa_pipe.legacy.key import Key, Profile, Settings, handed_on, move
from vjepa_pipe.legacy.masks import read_blocks, read_tubes, write_masks
from vjepa_pipe.legacy.profiles.probes import EVAL_AUG, VIDEO_PROBE_READER, image_folders
from vjepa_pipe.legacy.profiles.video import (
    READER,
    clip_duration,
    crop_and_colour,
    dataset_type,
    find,
    frame_step,
    one_per_dataset,
    paths,
    square,
    warm_up_within_training,
)

_MULTIBLOCK, _TUBE = "multiblock3d", "random_tube"
_WEIGHTS = "shares of the samples drawn; V-JEPA 1 reads each sample once an epoch whatever they are"
_DURATION = "frames are counted at the average rate rounded up, as in V-JEPA 2"


def _is_tubes(entries: Any) -> bool:
    return isinstance(entries, list) and any(isinstance(entry, dict) and "ratio" in entry for entry in entries)


def _read_masks(entries: Any) -> Settings:
    return read_tubes(entries) if _is_tubes(entries) else read_blocks(entries)


def _write_masks(experiment: ExperimentConfig) -> Any:
    known = ("aspect_ratio", "num_blocks", "spatial_scale", "temporal_scale", "max_temporal_keep", "max_keep", "ratio")
    return [{key: mask[key] for key in known if key in mask} for mask in write_masks(experiment) or []]


def _write_mask_type(experiment: ExperimentConfig) -> str:
    return (
        _TUBE if any(hasattr(mask, "ratio") for mask in getattr(experiment.mask, "masks", {}).values()) else _MULTIBLOCK
    )


def _read_short(value: Any) -> Settings:
    return {"data.short_videos": "drop" if value else "repeat_last"}


def _check(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from one_per_dataset("data", ("datasets_weights",))(values)
    kind, tubes = find(values, "data.mask_type") or _MULTIBLOCK, _is_tubes(find(values, "mask"))
    if tubes == (kind == _MULTIBLOCK):
        yield "data.mask_type", f"={kind} does not fit the keys of mask: ratio belongs to tubes, the others to blocks"
    if find(values, "data.sampling_rate") is None and find(values, "data.clip_duration") is None:
        yield "data.sampling_rate", "must be given, or data.clip_duration"


JEPA = Profile(
    name="V-JEPA 1 pretraining",
    marker=("app", "vjepa"),
    training="vjepa_v1",
    keys=(
        dataset_type("data.dataset_type"),
        paths("data.datasets", "data.data_paths"),
        move("data.datasets_weights", "data.data_weights", None, _WEIGHTS),
        move("data.num_frames", "data.frames_per_clip"),
        frame_step("data.sampling_rate", None),
        clip_duration("data.clip_duration", _DURATION),
        move("data.num_clips", "data.num_clips", 1),
        Key(
            "data.filter_short_videos",
            "data.short_videos",
            False,
            _read_short,
            lambda experiment: experiment.data.short_videos == "drop",
        ),
        move("data.batch_size", "data.batch_size"),
        square("data.crop_size"),
        move("data.patch_size", "mask.patch_size"),
        move("data.tubelet_size", "mask.tubelet_size"),
        move("data.num_workers", "data.num_workers", 1),
        *crop_and_colour(),
        Key("data.mask_type", "mask", _MULTIBLOCK, lambda _: {}, _write_mask_type),
        Key("mask", "mask.masks", REQUIRED, _read_masks, _write_masks),
        move(
            "meta.seed", "seed", 0, "seeds every draw of the data; the published sampler draws from a global generator"
        ),
        move("optimization.ipe", "loader.iterations_per_epoch", None),
        *handed_on(JepaTraining),
    ),
    built_in=READER
    | {
        "data_aug": "pretrain",
        "data_aug.horizontal_flip": True,
        "mask.convention": "reference",
        "loader.pin_memory": True,
    },
    dead={
        "meta.eval_freq": "the published code never reads it",
        "data.decode_one_clip": "accepted, then ignored by the published dataset",
        "data.log_resource_utilization": "accepted, then ignored by the published dataset",
        "data.pin_mem": "the published code does not pass it on; memory is always pinned",
    },
    check=_check,
    warnings=warm_up_within_training,
)
_IGNORED_MODEL_KEYS = {
    "pretrain.use_silu": "the V-JEPA 1 encoder swallows it",
    "pretrain.tight_silu": "the V-JEPA 1 encoder swallows it",
}
V1_VIDEO_PROBE = Profile(
    name="V-JEPA 1 video classification probe",
    marker=("eval_name", "video_classification_frozen"),
    training="video_probe_v1",
    keys=(
        dataset_type("data.dataset_type"),
        paths("data.dataset_train", "data.data_paths", single=True),
        paths("data.dataset_val", "data.eval_data_paths", single=True),
        square("optimization.resolution"),
        move("data.num_segments", "data.num_clips", 1),
        move("data.frames_per_clip", "data.frames_per_clip", 16),
        frame_step("pretrain.frame_step", 4),
        clip_duration("pretrain.clip_duration", _DURATION),
        move("data.num_views_per_segment", "data_aug.eval_views", 1),
        move("optimization.batch_size", "data.batch_size"),
        *handed_on(V1VideoProbeTraining),
    ),
    built_in=VIDEO_PROBE_READER | {"data.num_workers": 12},
    dead=_IGNORED_MODEL_KEYS | {"data.frame_step": "the published code reads pretrain.frame_step, by default 4"},
)
V1_IMAGE_PROBE = Profile(
    name="V-JEPA 1 image classification probe",
    marker=("eval_name", "image_classification_frozen"),
    training="image_probe_v1",
    keys=(
        square("data.resolution"),
        move("optimization.batch_size", "data.batch_size"),
        *handed_on(V1ImageProbeTraining),
    ),
    built_in=READER | EVAL_AUG | {"mask": "none", "data.frames_per_clip": 1, "data.num_workers": 12},
    dead=_IGNORED_MODEL_KEYS | {"pretrain.clip_duration": "the image probe never reads it"},
    warnings=lambda _: iter(("the published image probe's transforms are not run: see data_aug instead",)),
    finish=lambda values: image_folders(values, "data"),
)
