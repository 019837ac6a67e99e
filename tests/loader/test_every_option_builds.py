"""Every option of every group, with every experiment, becomes loaders on real files."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from captioned import partition

from vjepa_pipe import DataManager, compose
from vjepa_pipe.config.faults import group_options
from vjepa_pipe.config.targets import locate

GROUPS = ("data", "data_aug", "mask", "robotics", "decoder", "loader", "task")
EXPERIMENTS = [[], ["experiment=vjepa2_vitl16_256px_16f"]]
OPTIONS = [f"{group}={option}" for group in GROUPS for option in group_options(group)]

SMALL = [
    "data.source_names=null",
    "data.data_weights=null",
    "data.batch_size=2",
    "data.num_workers=0",
    "loader.iterations_per_epoch=null",
]


@pytest.mark.parametrize(("experiment", "choice"), list(itertools.product(EXPERIMENTS, OPTIONS)), ids=str)
def test_option_builds(videos_csv: Path, tmp_path: Path, experiment: list[str], choice: str) -> None:
    files = f"data.data_paths=[{videos_csv}]"
    if choice == "data=webvid":
        partition(tmp_path, "a.csv", [(str(video), "a caption") for video in range(8)])
        files = f"data.data_root={tmp_path}"
    composed = compose([*experiment, choice, files, *SMALL])
    assert callable(locate(composed.task._target_))
    manager = DataManager(composed)
    assert len(manager.build_train_loader()) == 4
    assert len(manager.build_eval_loader()) == 4
