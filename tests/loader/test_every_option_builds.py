"""Every option of every group becomes loaders on real files."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from captioned import partition
from companions import companions
from lerobot_files import ROBOTS, write_lerobot
from torchcodec_extra import needs_torchcodec

from vjepa_pipe import DataManager, compose
from vjepa_pipe.composition.options import group_options
from vjepa_pipe.config import RobotDataConfig
from vjepa_pipe.config.data import FolderDataConfig, SyntheticDataConfig
from vjepa_pipe.config.targets import locate
from vjepa_pipe.synthetic import write_synthetic_droid, write_synthetic_lerobot

GROUPS = ("data", "data_aug", "mask", "robotics", "decoder", "loader", "task")
EXPERIMENT = ["experiment=vjepa2_vitl16_256px_16f"]
OF_THEIR_OWN = ("webvid", "epic_kitchens")
"""Data of other forms than lists, folders and robots, with tests of their own."""

OPTIONS = [f"{group}={option}" for group in GROUPS for option in group_options(group) if option not in OF_THEIR_OWN]
CHOICES = [
    pytest.param(
        experiment,
        option,
        marks=[*[needs_torchcodec] * (option == "decoder=torchcodec"), *[pytest.mark.soak] * bool(experiment)],
    )
    for experiment, option in itertools.product([[], EXPERIMENT], OPTIONS)
]

SMALL = [
    "data.source_names=null",
    "data.data_weights=null",
    "data.batch_size=2",
    "data.num_workers=0",
    "loader.iterations_per_epoch=null",
]


@pytest.mark.parametrize(("experiment", "choice"), CHOICES, ids=str)
def test_option_builds(cache: Path, videos_csv: Path, tmp_path: Path, experiment: list[str], choice: str) -> None:
    composed = compose([*experiment, choice, *companions(choice), *SMALL, "data.data_paths=[unread]"])
    paths = [str(videos_csv)]
    if isinstance(composed.data, RobotDataConfig):  # four episodes, twice
        write = write_synthetic_droid if composed.data.layout == "droid" else write_synthetic_lerobot
        paths = [str(write(cache, 4)), str(write(cache, 4))]
    if isinstance(composed.data, FolderDataConfig):
        paths = [str(videos_csv.parent)]
    if (robot := choice.removeprefix("data=lerobot_")) in ROBOTS:  # two episodes, four times
        paths = [str(write_lerobot(tmp_path / str(i), robot)) for i in range(4)]
    composed.data.data_paths = paths
    if isinstance(composed.data, SyntheticDataConfig):
        composed.data.eval_videos = None
    assert callable(locate(composed.task._target_, "task._target_"))
    manager = DataManager(composed)
    assert len(manager.build_train_loader()) == 4
    assert len(manager.build_eval_loader()) == 4


@pytest.mark.parametrize("experiment", [[], EXPERIMENT], ids=str)
def test_captioned_video_builds(tmp_path: Path, experiment: list[str]) -> None:
    partition(tmp_path, "a.csv", [(str(video), "a caption") for video in range(8)])
    small = ["data.batch_size=2", "data.num_workers=0", "loader.iterations_per_epoch=null"]
    manager = DataManager(compose([*experiment, "data=webvid", f"data.data_root={tmp_path}", *small]))
    assert len(manager.build_train_loader()) == 4
    assert len(manager.build_eval_loader()) == 4
