"""From an augmentation config to the two transforms that a dataset calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vjepa_pipe.config.aug import AugConfig
from vjepa_pipe.config.build import faults_of
from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.img_size import ImgSize
from vjepa_pipe.config.loader import OUTPUTS
from vjepa_pipe.transforms.crop import RandomResizedCrop
from vjepa_pipe.transforms.erase import RandomErasing
from vjepa_pipe.transforms.evaluate import EvalTransform
from vjepa_pipe.transforms.flip import HorizontalFlip
from vjepa_pipe.transforms.normalize import Normalize
from vjepa_pipe.transforms.randaugment import RandAugment
from vjepa_pipe.transforms.train import ClipTransform, TrainTransform
from vjepa_pipe.transforms.views import MultiViewCrop, ResizeCenterCrop


class VideoTransformPipeline:
    """Builds the two transforms that an augmentation config describes.

    Args:
        config: The augmentation; None takes the defaults.
        img_size: Height and width of the output in pixels; one number: a square.
        extra_transforms: Further transforms for training, each from uint8 `[T, C, H, W]` to the same dtype and
            layout, called after crop and flip. Empty takes `config.extra_transforms`, which must then hold
            callables, not `_target_` nodes.
        output: `float32`, normalised, or `uint8`, whose normalisation is left to the device
            (`vjepa_pipe.loader.device_prefetch`).

    Raises:
        ConfigError: The config breaks a bound, or keeps geometry and yet turns the flip on, or erases (with noise
            that has no 8-bit values) where uint8 is asked for; a ValueError.
        ValueError: The size is neither one number nor a height and a width, or a side is below 1.
        TypeError: An extra transform cannot be called.
    """

    def __init__(
        self,
        config: AugConfig | None = None,
        img_size: ImgSize = 224,
        extra_transforms: Sequence[ClipTransform] = (),
        output: str = "float32",
    ) -> None:
        config = config or AugConfig()
        policy = _checked_policy(config, output)
        normalize = Normalize(config.normalize_mean, config.normalize_std)
        self._train = TrainTransform(
            crop=RandomResizedCrop(
                img_size,
                config.crop_scale,
                config.crop_ratio,
                config.motion_shift,
                config.center_crop_ratio,
                config.precision,
            ),
            flip=HorizontalFlip(0.5 if config.horizontal_flip else 0.0),
            rand_augment=policy if config.auto_augment else None,
            rand_augment_first=config.rand_augment_order == "before_crop",
            extra_transforms=_callables(extra_transforms or config.extra_transforms),
            normalize=normalize,
            erase=RandomErasing(config.random_erasing),
            as_uint8=output == "uint8",
        )
        views = config.eval_views
        view = ResizeCenterCrop(img_size) if views == 1 else MultiViewCrop(img_size, views)
        self._eval = EvalTransform(view, normalize, as_uint8=output == "uint8")

    def get_train_transform(self) -> TrainTransform:
        """Give the random transform for training."""
        return self._train

    def get_eval_transform(self) -> EvalTransform:
        """Give the deterministic transform for evaluation."""
        return self._eval


def _checked_policy(config: AugConfig, output: str) -> RandAugment:
    # Read even when auto-augment is off, so that a wrong policy is found now and not when it is turned on.
    faults = faults_of(config, "data_aug")
    if config.keep_geometry and config.horizontal_flip:
        faults.append("data_aug.horizontal_flip must be false with keep_geometry: it mirrors pixels but not actions")
    if output not in OUTPUTS:
        faults.append(f"loader.output must be one of {', '.join(OUTPUTS)} (got {output!r})")
    if output == "uint8" and config.random_erasing:
        faults.append("data_aug.random_erasing must be 0 with loader.output=uint8: its noise has no 8-bit values")
    if faults:
        raise ConfigError(faults)
    if config.rand_augment is None:
        return RandAugment(config.rand_augment_n, config.rand_augment_m)
    try:
        return RandAugment.from_string(config.rand_augment)
    except ValueError as error:
        raise ConfigError([f"data_aug.{error}"]) from error


def _callables(transforms: Sequence[Any]) -> tuple[ClipTransform, ...]:
    for index, transform in enumerate(transforms):
        if not callable(transform):
            raise TypeError(
                f"data_aug.extra_transforms[{index}] must be callable (got {type(transform).__name__}); "
                "a `_target_` node is built before it comes here"
            )
    return tuple(transforms)
