"""Images that are trained on beside the videos, as V-JEPA 2.1 does: group `image/`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from vjepa_pipe.config.data import CONVENTIONS, DataConfig
from vjepa_pipe.config.errors import ConfigError
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
    """Batches of images beside those of videos, on a share of the ranks, or of the steps where ranks are too few."""

    data: DataConfig = setting(DataConfig(), "settings of group data, for images: sources, size, batch size, workers")
    mask: MaskConfig = setting(MaskConfig(), "settings of group mask, for images")
    share: float = setting(0.25, "share of all batches that hold images", gt=0, lt=1)
    convention: str = setting(
        "strict",
        "which ranks take them: strict spreads them evenly over ranks and steps, in the exact ratio; reference gives "
        "images to the first int(world_size * share) ranks, and to the others larger batches of videos, as published",
        choices=CONVENTIONS,
    )


def image_experiment(experiment: ExperimentConfig) -> ExperimentConfig | None:
    """The images as an experiment of their own: the same but for data and masks, without robots and with no epochs.

    Args:
        experiment: Any.

    Returns:
        None if it has no images beside its videos.
    """
    image = experiment.image
    if not isinstance(image, ImageStreamConfig):
        return None
    return replace(
        experiment,
        data=image.data,
        mask=image.mask,
        loader=replace(experiment.loader, samples_per_epoch=None, iterations_per_epoch=None),  # they count videos
        robotics=RoboticsConfig(),
        image=ImageConfig(),
    )


def group_of(path: str) -> str:
    """The group that a node takes its options from: `data` for `image.data`, and for `data` itself."""
    return path.removeprefix("image.")


def faults_of_streams(
    faults: Callable[[ExperimentConfig], Iterable[str]], experiment: ExperimentConfig
) -> Iterator[str]:
    """The faults of an experiment, then those that only its images have, which name `image.data` and `image.mask`.

    Args:
        faults: What looks for them: a line for each, with dotted paths of settings.
        experiment: Any.
    """
    found = list(faults(experiment))
    yield from found
    images = image_experiment(experiment)
    if images is not None:
        yield from (line for fault in faults(images) if (line := of_images(fault, images)) not in found)


def of_images(said: str, images: ExperimentConfig) -> str:
    """A line about the images as an experiment, with their settings and options as the whole experiment names them."""
    names = "|".join(field.name for group in (images.data, images.mask) for field in fields(group))
    line = re.sub(rf"(?<![\w.])(data|mask)\.(?=({names})\b)", r"image.\1.", said)
    return re.sub(r"(?<![\w.])(data|mask)=(?=\w)", r"\1@image.\1=", line)


@contextmanager
def naming_images(images: ExperimentConfig) -> Iterator[None]:
    """Within this context, config errors about the images as an experiment name settings as the whole one does.

    Raises:
        ConfigError: In place of one that named `data` and `mask`.
    """
    try:
        yield
    except ConfigError as error:
        raise ConfigError([of_images(fault, images) for fault in error.faults]) from error
