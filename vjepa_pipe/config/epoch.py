"""How many clips an epoch has, and whether they make a batch."""

from __future__ import annotations

from collections.abc import Iterator

from vjepa_pipe.config.data import DataConfig, SyntheticDataConfig, SyntheticImagesConfig
from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.robot_data import SyntheticRobotDataConfig


def epoch_size(experiment: ExperimentConfig, rows: int, ranks: int) -> int:
    """Clips in an epoch over all ranks: whole batches only, unless the last is kept, then whole repetitions only.

    Args:
        experiment: Says what an epoch is.
        rows: Rows of all sources.
        ranks: Number of ranks.
    """
    loader, batch = experiment.loader, experiment.data.batch_size * ranks
    if loader.iterations_per_epoch is not None:
        return loader.iterations_per_epoch * batch
    clips = loader.samples_per_epoch or rows
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
        fits = clips // ranks // repeats * repeats
        on_ranks = "" if ranks == 1 else f" on {ranks} ranks ({counted(size * ranks, 'clip')})"
        ways = (f"data.batch_size={fits}", "loader.drop_last=false for a smaller batch") if fits else ()
        ways = (*ways, "loader.iterations_per_epoch=1 for rows that come more than once")
        fault = f"data.batch_size={size}{on_ranks} is more than an epoch of {counted(clips, 'clip')}"
        yield f"{fault}: set {', or '.join(ways)}"


def known_rows(data: DataConfig) -> int | None:
    """Rows of data that is written on first use; None: the files say it."""
    if data.data_paths:
        return None
    if isinstance(data, SyntheticDataConfig):
        return data.num_videos
    if isinstance(data, SyntheticImagesConfig):
        return data.num_images
    return data.num_episodes if isinstance(data, SyntheticRobotDataConfig) else None
