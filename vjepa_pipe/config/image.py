"""Images that are trained on beside the videos, as V-JEPA 2.1 does: group `image/`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vjepa_pipe.config.data import CONVENTIONS, DataConfig
from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.mask import MaskConfig
from vjepa_pipe.config.robotics import RoboticsConfig

if TYPE_CHECKING:
    from vjepa_pipe.config.experiment import ExperimentConfig

VIDEO, IMAGE = "video", "image"
"""The streams of a mix: what `modality` says in its batches."""


@dataclass
class ImageConfig:
    """Videos alone; the base of every other option.

    python launch.py image=none
    """


@dataclass
class ImageStreamConfig(ImageConfig):
    """Batches of images on a share of the ranks, or of the steps where there are fewer ranks, beside those of videos."""

    data: DataConfig = setting(DataConfig(), "the images: sources, size, batch size and workers of their own")
    mask: MaskConfig = setting(MaskConfig(), "token masks of the images")
    share: float = setting(0.25, "share of all batches that hold images", gt=0, lt=1)
    convention: str = setting(
        "strict",
        "which ranks take them: strict spreads them evenly over ranks and steps, in the exact ratio; reference gives "
        "images to the first int(world_size * share) ranks, and to the others larger batches of videos, as published",
        choices=CONVENTIONS,
    )


def image_experiment(experiment: ExperimentConfig) -> ExperimentConfig | None:
    """The images as an experiment of their own: the same but for data and masks, and without robots.

    Args:
        experiment: Any.

    Returns:
        None if it has no images beside its videos.
    """
    image = experiment.image
    if not isinstance(image, ImageStreamConfig):
        return None
    return replace(experiment, data=image.data, mask=image.mask, robotics=RoboticsConfig(), image=ImageConfig())
