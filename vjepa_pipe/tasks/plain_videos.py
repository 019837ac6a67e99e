"""The dataset of tasks that work on video files alone."""

from __future__ import annotations

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.datasets import VideoDataset
from vjepa_pipe.loader import DataManager


def plain_videos(manager: DataManager) -> VideoDataset:
    """The experiment's training dataset.

    Raises:
        ConfigError: If its rows are not video files, but robot episodes or items of a dataset of the user's own.
    """
    dataset = manager.build_train_dataset()
    if not isinstance(dataset, VideoDataset):
        raise ConfigError(
            [f"this task reads lists of videos; data._target_={manager.config.data._target_} gives others"]
        )
    return dataset
