"""The commands of robot experiments, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from program import launch

from vjepa_pipe import DataManager, compose
from vjepa_pipe.report.robot_preview import ACTION, GRIPPER, NOW, PATH
from vjepa_pipe.tasks import run_task

SMALL = [
    "data=synthetic_robot", "data.num_episodes=4", "data.img_size=128", "data.batch_size=2", "data.num_workers=0",
    "data_aug=robotics", "mask=none", "task.progress=false",
]  # fmt: skip
LAYOUTS = {
    "droid": ["robotics=droid"],
    "lerobot": ["robotics=lerobot", "data.layout=lerobot"],
    "recipe": [
        "experiment=vjepa2_ac_droid", "data.cameras=[left_mp4_path,right_mp4_path]", "robotics.stereo=true",
        "loader.iterations_per_epoch=null",
    ],
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_stream_draws_path_state_and_action(layout: str, tmp_path: Path) -> None:
    metrics = run_task(compose([*LAYOUTS[layout], *SMALL, "task.preview_clips=2"]), tmp_path)
    assert (metrics["clips"], metrics["replaced"]) == (4, 0)
    shapes = json.loads((tmp_path / "summary.json").read_text())["shapes"]
    assert shapes["states"] == [2, 8, 7] and shapes["actions"] == [2, 7, 7] and shapes["indices"] == [2, 8]
    with Image.open(tmp_path / "preview.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for colour, least in ((PATH, 300), (ACTION, 100), (GRIPPER, 300), (NOW, 300)):
        assert (pixels == colour).all(axis=1).sum() > least, colour


def test_statistics_are_computed_once_and_used(tmp_path: Path) -> None:
    robot = ["robotics=droid", *SMALL[:-1]]
    scaled = [*robot, "robotics.normalization=standard", "robotics.rotation=rot6d"]
    missing = launch(*scaled, cwd=tmp_path)
    assert missing.returncode == 2
    assert "there are none for this data: run task=statistics first" in missing.stderr
    options = ["task=statistics", "task.clips_per_episode=25", "robotics.rotation=rot6d"]
    metrics = run_task(compose([*robot, *options, "data.num_workers=2"]), tmp_path)
    assert (metrics["clips"], metrics["faults"]) == (100, 0)
    assert json.loads((tmp_path / "statistics.json").read_text()) == json.loads(Path(metrics["file"]).read_text())
    loader = DataManager(compose(scaled)).build_train_loader()
    raw = DataManager(compose([*robot, "robotics.rotation=rot6d"])).build_train_loader()
    content = json.loads(Path(metrics["file"]).read_text())
    for batch, plain in zip(loader, raw, strict=True):
        for part in ("states", "actions"):
            expected = (plain[part].numpy() - content[part]["mean"]) / content[part]["std"]
            np.testing.assert_allclose(batch[part].numpy(), expected, rtol=1e-9, atol=1e-9)
            assert np.abs(expected).max() < 6
    named = compose([*scaled, f"robotics.statistics={tmp_path / 'statistics.json'}"])
    assert len(DataManager(named).build_train_dataset()) == 4


def test_statistics_count_what_cannot_be_read(tmp_path: Path) -> None:
    listed = DataManager(compose(["robotics=droid", *SMALL])).build_train_dataset().sources[0].path(0)
    (tmp_path / "list.csv").write_text(f"{listed}\n{tmp_path / 'missing'}\n")
    options = ["task=statistics", f"data.data_paths=[{tmp_path / 'list.csv'}]", "task.max_episodes=2"]
    metrics = run_task(compose(["robotics=droid", *SMALL[:-1], *options]), tmp_path)
    assert (metrics["clips"], metrics["faults"]) == (4, 4)
    (first, *_) = json.loads((tmp_path / "statistics.json").read_text())["first_faults"]
    assert first.endswith("missing: holds no trajectory.h5")


def test_commands_a_person_types(tmp_path: Path) -> None:
    small = SMALL[:-1]
    result = launch("task=validate", "robotics=droid", *small, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "states and actions of clips fit their frames (temporal_sampling=physical, alignment=rows)" in result.stderr
    result = launch("experiment=vjepa2_ac_droid", cwd=tmp_path)
    assert result.returncode == 2
    assert "DROID_TRAJECTORIES is not set" in result.stderr and "holds trajectory folders" in result.stderr
    result = launch("task=statistics", "data=synthetic_robot", "data.num_episodes=4", cwd=tmp_path)
    assert result.returncode == 2
    assert "task=statistics needs robot states" in result.stderr
