"""The dataset of tasks that work on video files alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import ImageConfig
from vjepa_pipe.datasets import EpicKitchensDataset, VideoDataset, annotation_files
from vjepa_pipe.loader import DataManager
from vjepa_pipe.sources import Rows
from vjepa_pipe.tasks.shards import was_here


def plain_videos(manager: DataManager) -> VideoDataset:
    """The experiment's training dataset.

    Raises:
        ConfigError: If its rows are not video files, but robot episodes, actions or items of a dataset of the user's.
    """
    dataset = manager.build_train_dataset()
    if not isinstance(dataset, VideoDataset) or isinstance(dataset, EpicKitchensDataset):
        raise ConfigError(
            [f"this task reads lists of videos; data._target_={manager.config.data._target_} gives others"]
        )
    return dataset


def all_files(experiment: ExperimentConfig, folder: Path, setting: str, *, copies: bool) -> VideoDataset:
    """The experiment's videos for training, read without an index; a list for each source can be written to a folder.

    Images beside the videos are left out, and it says so: they are read whole, with or without an index or copies.

    Args:
        experiment: The experiment.
        folder: Where results are written.
        setting: What names the folder, for messages.
        copies: Whether these are of copies, or of an index.

    Raises:
        ConfigError: As `plain_videos`, or if two sources have one name.
        UserError: If a result would be written over the list that it is of, or over another file of the user's.
    """
    if experiment.image != ImageConfig():
        Console(stderr=True).print(
            "image.data is left out: task=validate task.full=true reads each image", soft_wrap=True
        )
    data = replace(experiment.data, index_dir=None)  # an index that is being made may not be there yet
    dataset = plain_videos(DataManager(replace(experiment, data=data, image=ImageConfig()), rank=0, world_size=1))
    _own_names(dataset.sources, annotation_files(data), folder, setting, copies)
    return dataset


def _own_names(sources: Sequence[Rows], lists: Sequence[str], folder: Path, setting: str, copies: bool) -> None:
    """Check that each source's `NAME.csv` in a folder is neither another's nor one that no run of the task has left."""
    for name, count in Counter(rows.name for rows in sources).items():
        if count > 1:
            raise ConfigError([f"data.source_names must be set: {count} sources are called {name}"])
    read = {Path(source).resolve() for source in lists}
    for rows in sources:
        written = folder / f"{rows.name}.csv"
        if written.resolve() in read:
            raise UserError(f"{setting}={folder}: {written} is the list itself; name another folder")
        if written.exists() and not was_here(folder, rows.name, copies=copies):
            task = "prepare" if copies else "index"
            raise UserError(
                f"{setting}={folder} holds {written.name}, which no run of task={task} has left there; "
                "name another folder"
            )
