"""`make_transforms` with the published signature (vjepa2 `app/vjepa/transforms.py`)."""

from __future__ import annotations

from collections.abc import Sequence

from vjepa_pipe.config.aug import IMAGENET_MEAN, IMAGENET_STD, AugConfig
from vjepa_pipe.config.img_size import ImgSize
from vjepa_pipe.legacy.profiles.video import POLICY
from vjepa_pipe.transforms import VideoTransformPipeline
from vjepa_pipe.transforms.train import TrainTransform


def make_transforms(
    random_horizontal_flip: bool = True,
    random_resize_aspect_ratio: Sequence[float] = (3 / 4, 4 / 3),
    random_resize_scale: Sequence[float] = (0.3, 1.0),
    reprob: float = 0.0,
    auto_augment: bool = False,
    motion_shift: bool = False,
    crop_size: ImgSize = 224,
    normalize: Sequence[Sequence[float]] = (IMAGENET_MEAN, IMAGENET_STD),
) -> TrainTransform:
    """The training transform: uint8 `[T, H, W, 3]` to normalised float32 `[C, T, height, width]`.

    Args:
        random_horizontal_flip: Mirror half of the clips.
        random_resize_aspect_ratio: Width / height of a crop: smallest, largest.
        random_resize_scale: Share of the frame's area of a crop: smallest, largest.
        reprob: Probability of random erasing.
        auto_augment: RandAugment with the published policy, on whole frames.
        motion_shift: Let the crop move during the clip.
        crop_size: Side of the output in pixels; here it may be `(height, width)` too.
        normalize: Mean and standard deviation of the colours, for pixels from 0 to 1.

    Raises:
        ConfigError: If a value is out of range.
        ValueError: If `crop_size` is.
    """
    mean, std = (tuple(values) for values in normalize)
    config = AugConfig(
        crop_scale=tuple(random_resize_scale),  # type: ignore[arg-type]
        crop_ratio=tuple(random_resize_aspect_ratio),  # type: ignore[arg-type]
        horizontal_flip=random_horizontal_flip,
        auto_augment=auto_augment,
        rand_augment=POLICY,
        rand_augment_order="before_crop",
        motion_shift=motion_shift,
        random_erasing=reprob,
        normalize_mean=mean,  # type: ignore[arg-type]
        normalize_std=std,  # type: ignore[arg-type]
    )
    return VideoTransformPipeline(config, crop_size).get_train_transform()
