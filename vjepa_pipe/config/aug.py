"""What an experiment may say about augmentation: group `data_aug/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from vjepa_pipe.config.fields import setting

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
PRECISIONS = ("exact", "fast")
RANDAUGMENT_ORDERS = ("after_crop", "before_crop")


@dataclass
class AugConfig:
    """How a decoded clip becomes a training or evaluation tensor."""

    crop_scale: tuple[float, float] = setting(
        (0.3, 1.0), "share of the frame's area that a random crop covers: smallest, largest", gt=0, le=100, ordered=True
    )
    crop_ratio: tuple[float, float] = setting(
        (0.75, 1.33), "width / height of a random crop: smallest, largest", ge=0.01, le=100, ordered=True
    )
    horizontal_flip: bool = setting(True, "mirror half of the clips left to right")
    auto_augment: bool = setting(False, "apply RandAugment, the same draw on every frame of a clip")
    rand_augment_n: int = setting(2, "RandAugment operations per clip", ge=1, le=100)
    rand_augment_m: int = setting(9, "RandAugment magnitude", ge=0, le=10)
    motion_shift: bool = setting(True, "let the crop move from one drawn box to another during the clip")
    random_erasing: float = setting(0.0, "probability that a box of the clip is replaced by noise", ge=0, le=1)
    normalize_mean: tuple[float, float, float] = setting(
        IMAGENET_MEAN, "mean of each colour (red, green, blue), for pixels from 0 to 1", ge=0, le=1
    )
    normalize_std: tuple[float, float, float] = setting(
        IMAGENET_STD, "standard deviation of each colour, for pixels from 0 to 1", ge=0.001, gt=0, le=1
    )
    center_crop_ratio: Optional[float] = setting(
        None, "train on the largest centre crop of this width / height, instead of a random crop", ge=0.01, le=100
    )
    rand_augment: Optional[str] = setting(
        None, "the published policy string, such as rand-m7-n4-mstd0.5-inc1; replaces rand_augment_n and _m"
    )
    rand_augment_order: str = setting(
        "after_crop",
        "after_crop works on the cropped clip; before_crop on whole frames, as the published code does",
        choices=RANDAUGMENT_ORDERS,
    )
    precision: str = setting(
        "exact",
        "arithmetic of the training crop: exact resizes in float32, as published; fast in uint8, within one grey level",
        choices=PRECISIONS,
    )
    eval_views: int = setting(
        1,
        "crops along the side that is longer, relative to img_size, when evaluating; 1: the centre crop",
        ge=1,
        le=1000,
    )
    keep_geometry: bool = setting(False, "refuse what breaks the relation of pixels to robot actions, such as flips")
    extra_transforms: list[Any] = setting(
        [], "further `_target_` nodes, called in training on the uint8 clip [T,C,H,W] after crop and flip"
    )
    extra_args: dict[str, Any] = setting({}, "further keyword arguments, for a `_target_` of your own")
    _target_: str = setting("vjepa_pipe.transforms.VideoTransformPipeline", "what is built from this group")
