"""How many clips an epoch has, and whether they make a batch."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from vjepa_pipe.config.data import DataConfig, SyntheticDataConfig, SyntheticImagesConfig
from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import ImageStreamConfig
from vjepa_pipe.config.robot_data import SyntheticRobotDataConfig


def epoch_size(experiment: ExperimentConfig, rows: int, ranks: int) -> int:
    """Clips in an epoch over all ranks: whole batches only, unless the last is kept, then whole repetitions only.

    With images beside the videos, an epoch has as many steps as show each video once on average, and each batch, also
    one of images, counts as `data.batch_size` clips.

    Args:
        experiment: Says what an epoch is.
        rows: Rows of all sources.
        ranks: Number of ranks.
    """
    loader, batch = experiment.loader, experiment.data.batch_size * ranks
    if loader.iterations_per_epoch is not None:
        return loader.iterations_per_epoch * batch
    clips = loader.samples_per_epoch or rows
    if isinstance(experiment.image, ImageStreamConfig):
        return int(clips / (batch * _share_of_videos(experiment))) * batch
    whole = batch if loader.drop_last else experiment.data.repeated_sampling
    return clips // whole * whole


def epoch_faults(experiment: ExperimentConfig, rows: int | None, ranks: int = 1) -> Iterator[str]:
    """A line if an epoch holds no batch.

    Args:
        experiment: Says what an epoch is.
        rows: Rows of all sources; None: not known yet.
        ranks: Number of ranks.
    """
    clips = experiment.loader.samples_per_epoch or rows
    if clips is not None and epoch_size(experiment, clips, ranks) == 0:
        size, repeats = experiment.data.batch_size, experiment.data.repeated_sampling
        keeps_last = not isinstance(experiment.image, ImageStreamConfig)
        places = int(clips / _share_of_videos(experiment))
        epoch = f"an epoch of {counted(clips, 'clip')}"
        if places != clips:
            epoch = f"an epoch that shows {counted(clips, 'video')} once beside images ({counted(places, 'clip')})"
        fits = int(clips / (ranks * _share_of_videos(experiment))) // repeats * repeats
        on_ranks = "" if ranks == 1 else f" on {ranks} ranks ({counted(size * ranks, 'clip')})"
        smaller = ["loader.drop_last=false for a smaller batch"] * keeps_last
        ways = (f"data.batch_size={fits}", *smaller) if fits else ()
        ways = (*ways, "loader.iterations_per_epoch=1 for rows that come more than once")
        yield f"data.batch_size={size}{on_ranks} is more than {epoch}: set {', or '.join(ways)}"


def exact_share(image: ImageStreamConfig) -> Fraction:
    """The share of images as the fraction that is meant: 1/3 for 0.3333333333333333."""
    near = Fraction(image.share).limit_denominator(10**6)
    return near if 0 < near < 1 else Fraction(image.share)


def _share_of_videos(experiment: ExperimentConfig) -> Fraction:
    """Of all batches; with `reference` all are, as those of videos are larger by as much as they are fewer."""
    image = experiment.image
    if isinstance(image, ImageStreamConfig) and image.convention == "strict":
        return 1 - exact_share(image)
    return Fraction(1)


def known_rows(data: DataConfig) -> int | None:
    """Rows of data that is written on first use; None: the files say it."""
    if data.data_paths:
        return None
    if isinstance(data, SyntheticDataConfig):
        return data.num_videos
    if isinstance(data, SyntheticImagesConfig):
        return data.num_images
    return data.num_episodes if isinstance(data, SyntheticRobotDataConfig) else None
