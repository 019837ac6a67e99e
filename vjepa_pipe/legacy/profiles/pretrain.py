"""V-JEPA 2 and 2.1 pretraining: `app: vjepa` (vjepa2 `app/vjepa/train.py`) and `app: vjepa_2_1`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from vjepa_pipe.config.training import VJepa21Training, VJepaTraining
from vjepa_pipe.config.training.base import REQUIRED
from vjepa_pipe.legacy.key import Key, Profile, handed_on, move
from vjepa_pipe.legacy.masks import read_blocks, write_masks
from vjepa_pipe.legacy.profiles.images import (
    IMAGE_KEYS,
    IMAGES_BUILT_IN,
    check_images,
    masks_of_the_videos,
    with_images,
)
from vjepa_pipe.legacy.profiles.video import (
    READER,
    clip_lengths,
    crop_and_colour,
    dataset_type,
    find,
    one_per_dataset,
    paths,
    warm_up_within_training,
)

_WEIGHTS = "met exactly in every epoch and without replacement, not on average"
_SEED = "seeds every draw of the data; the published sampler always takes 0"
_PERSISTENT = "V-JEPA 2.1 has the key in its files but never passes it on"

_DATA = (
    dataset_type("data.dataset_type"),
    paths("data.datasets", "data.data_paths"),
    move("data.datasets_weights", "data.data_weights", None, _WEIGHTS),
    clip_lengths("data.dataset_fpcs"),
    move("data.batch_size", "data.batch_size"),
    move("data.fps", "data.target_fps"),
    move("data.crop_size", "data.img_size", 224),
    move("data.patch_size", "mask.patch_size"),
    move("data.tubelet_size", "mask.tubelet_size"),
    move("data.pin_mem", "loader.pin_memory", False),
    move("data.num_workers", "data.num_workers", 1),
    move("data.persistent_workers", "loader.persistent_workers", True),
    *crop_and_colour(),
    Key("mask", "mask.masks", REQUIRED, read_blocks, write_masks),
    move("meta.seed", "seed", 0, _SEED),
    move("optimization.ipe", "loader.iterations_per_epoch", None),
)
_BUILT_IN = READER | {
    "data_aug": "pretrain",
    "data_aug.horizontal_flip": True,
    "data.clip_mode": "fps",
    "mask.convention": "reference",
}
_NEVER_READ = {"meta.eval_freq": "the published code never reads it"}
_CHECK = one_per_dataset("data", ("datasets_weights", "dataset_fpcs"))


def _warnings(values: Mapping[str, Any]) -> Iterator[str]:
    yield from warm_up_within_training(values)
    checkpoint = find(values, "optimization.anneal_ckpt")
    if isinstance(checkpoint, str) and checkpoint.endswith("/e0.pt"):
        yield f"optimization.anneal_ckpt={checkpoint} is the checkpoint after the first epoch, not the last"
    if find(values, "optimization.is_anneal") and checkpoint is None:
        yield "optimization.is_anneal without optimization.anneal_ckpt: the published trainer stops at this"


def _warnings_of_images(values: Mapping[str, Any]) -> Iterator[str]:
    yield from _warnings(values)
    if find(values, "img_data.datasets_weights") == [] or "datasets_weights" not in values["img_data"]:
        yield "img_data.datasets_weights is missing: the published code then has no image to draw"


def _check_images(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _CHECK(values)
    yield from check_images(values)


VJEPA = Profile(
    name="V-JEPA 2 pretraining",
    marker=("app", "vjepa"),
    training="vjepa",
    keys=(*_DATA, *handed_on(VJepaTraining)),
    built_in=_BUILT_IN,
    dead=_NEVER_READ,
    check=_CHECK,
    warnings=_warnings,
)
VJEPA_2_1 = Profile(
    name="V-JEPA 2.1 pretraining",
    marker=("app", "vjepa_2_1"),
    training="vjepa_2_1",
    keys=(*(key for key in _DATA if key.name != "data.persistent_workers"), *handed_on(VJepa21Training)),
    built_in=_BUILT_IN | {"loader.persistent_workers": False},
    dead=_NEVER_READ
    | {"data.persistent_workers": _PERSISTENT, "img_data": "empty: videos alone", "img_mask": "read beside img_data"}
    | {
        key: "the published code never reads it"
        for key in (
            "model.local_window",
            "model.pred_local_window",
            "model.vit_conv",
            "loss.reg_coeff",
            "loss.computing_gram_loss",
            "loss.gram_HighRes",
            "loss.gram_ckpt",
            "loss.gram_loss_weight",
        )
    },
    check=_CHECK,
    warnings=_warnings,
)
VJEPA_2_1_IMAGES = replace(
    VJEPA_2_1,
    name="V-JEPA 2.1 pretraining on videos and images",
    keys=(*map(with_images, VJEPA_2_1.keys), *IMAGE_KEYS),
    built_in=VJEPA_2_1.built_in | IMAGES_BUILT_IN,
    dead={key: reason for key, reason in VJEPA_2_1.dead.items() if key not in ("img_data", "img_mask")},
    check=_check_images,
    warnings=_warnings_of_images,
    finish=masks_of_the_videos,
)
