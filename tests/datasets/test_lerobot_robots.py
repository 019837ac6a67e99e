"""LeRobot datasets of any robot: names from the dataset, faults all at once, and what states mean is never guessed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from lerobot_files import ALOHA, ROBOTS, row_of, write_lerobot

from vjepa_pipe import DataManager, RobotDataset, compose
from vjepa_pipe.config import ConfigError, RobotDataConfig, RoboticsConfig
from vjepa_pipe.config.errors import SampleError
from vjepa_pipe.config.folders import conf_dir
from vjepa_pipe.config.state_forms import STATE_FORMS
from vjepa_pipe.tasks import run_task

ROBOTICS: dict[str, Any] = {"enabled": True, "fps": 5.0, "alignment": "timestamps"}
VERSIONS = ("v2.0", "v2.1", "v3.0")


def open_robot(*roots: Path, data: dict[str, Any] | None = None, **robotics: Any) -> RobotDataset:
    config = RobotDataConfig(data_paths=[str(root) for root in roots], layout="lerobot", frames_per_clip=4)
    for name, value in (data or {}).items():
        setattr(config, name, value)
    return RobotDataset(config, RoboticsConfig(**ROBOTICS | robotics), on_bad_sample="raise")


def recorded(root: Path, column: str, episode: int) -> np.ndarray:
    """A column of an episode as the parquet files have it."""
    tables = [pq.read_table(file) for file in sorted((root / "data").rglob("*.parquet"))]
    rows = [row for table in tables for row in table.select([column, "episode_index"]).to_pylist()]
    return np.array([row[column] for row in rows if row["episode_index"] == episode])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("robot", "form"), [("so100", "auto"), ("aloha", "auto"), ("pusht", "position")])
def test_any_robot_without_an_override(robot: str, form: str, version: str, tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / robot, robot, version)
    for action in ("difference", "absolute", "dataset"):
        found = open_robot(root, state_form=form, action=action, camera_views="all")
        assert found.names[0].cameras == ROBOTS[robot]["cameras"]
        assert found.robotics.state_form == ("position" if robot == "pusht" else "joints")
        for episode in (0, 1):
            sample = found[episode]
            rows = sample["indices"].numpy()
            states, actions = (recorded(root, name, episode) for name in ("observation.state", "action"))
            assert np.array_equal(sample["states"], states[rows])
            expected = {
                "difference": np.diff(states[rows], axis=0),
                "absolute": states[rows][1:],
                "dataset": actions[rows[:-1]],
            }
            assert np.array_equal(sample["actions"], expected[action])
            videos = sample["video"] if sample["video"].ndim == 5 else sample["video"][None]
            assert len(videos) == len(ROBOTS[robot]["cameras"])
            for video in videos:
                assert [row_of(frame) for frame in video.permute(1, 2, 3, 0).numpy()] == [row % 64 for row in rows]
            assert "extrinsics" not in sample


def test_choice_is_said(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "mine", "so100")
    said = "\n".join(open_robot(root).description)
    for line in (
        "mine: LeRobot v3.0, so100, 30 rows per second, 2 episodes",
        "cameras (auto): observation.images.front, observation.images.wrist; a sample shows one of them, drawn at",
        "states (auto): observation.state, 6 numbers: shoulder_pan.pos, shoulder_lift.pos",
        "state_form (auto): joints",
        "actions are plain differences",
        "camera poses (auto): none",
    ):
        assert line in said
    named = "\n".join(open_robot(root, data={"cameras": ["observation.images.wrist"]}, state_form="joints").description)
    assert "  cameras: observation.images.wrist; the only one\n" in named and "  state_form: joints" in named


@pytest.mark.parametrize("names", [None, [f"j{i}" for i in range(7)], ["x", "y", "z", "rx", "ry", "rz", "gripper"]])
def test_seven_numbers_are_not_taken_for_a_pose(names: list[str] | None, tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "arm", "so100", names=names, size=7)
    with pytest.raises(ConfigError, match=r"set robotics\.state_form to one of pose_gripper \(.*joints .*other"):
        open_robot(root)
    joints = open_robot(root, state_form="joints")[0]
    assert np.array_equal(joints["actions"], np.diff(joints["states"], axis=0))
    pose = open_robot(root, state_form="pose_gripper")[0]
    assert not np.allclose(pose["actions"][:, 3:6], joints["actions"][:, 3:6]), "rotations do not subtract"


def test_what_does_not_fit_the_form_is_found_before_streaming(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "mine", "so100")
    with pytest.raises(ConfigError) as error:
        open_robot(root, rotation="rot6d", camera_frame=True, gripper="binary", gripper_inverted=True)
    text = str(error.value)
    for name in ("rotation must be", "camera_frame must be", "gripper must be", "gripper_inverted must be"):
        assert f"robotics.{name}" in text
    for form in ("ee_delta", "other"):
        with pytest.raises(ConfigError, match=r"robotics\.action must be dataset or absolute"):
            open_robot(root, state_form=form)
        assert open_robot(root, state_form=form, action="dataset")[0]["actions"].shape == (3, 6)
    with pytest.raises(ConfigError, match=r"state_form=pose_gripper is 7 numbers, .*; data.state_keys give 6"):
        open_robot(root, state_form="pose_gripper")
    with pytest.raises(ConfigError, match=r"robotics\.rotation must be euler_xyz"):
        compose(["data=lerobot", "robotics=lerobot", "data_aug=robotics", "robotics.state_form=joints",
                 "robotics.rotation=quaternion"])  # fmt: skip


def test_all_faults_at_once_each_with_its_fix(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "mine", "so100")
    names = {
        "cameras": ["observation.images.exterior_1_left", "action"],
        "state_keys": ["observation.state.cartesian_position"],
        "action_keys": ["actions"],
        "extrinsics_key": "camera_extrinsics.{camera}",
    }
    with pytest.raises(ConfigError) as error:
        open_robot(root, data=names, action="dataset", fps=60.0)
    text = str(error.value)
    assert text.startswith("6 config errors:")
    for fix in (
        "camera action is stored as float32, and is not one of its cameras",
        "set data.cameras=[observation.images.front,observation.images.wrist]",
        "has no column observation.state.cartesian_position (columns: observation.state [6], action [6])",
        "set data.state_keys=[observation.state], or robotics=none",
        "set data.action_keys=[action], or robotics.action=difference",
        "data.extrinsics_key=''",
        "set data.target_fps=30 or less",
    ):
        assert fix in text


def test_video_alone_needs_no_states(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "mine", "pusht")
    info = json.loads((root / "meta" / "info.json").read_text())
    for name in ("observation.state", "action"):
        del info["features"][name]
    (root / "meta" / "info.json").write_text(json.dumps(info))
    sample = open_robot(root, enabled=False)[0]
    assert not {"states", "actions", "extrinsics"} & set(sample)
    assert sample["video"].shape == (3, 4, 32, 48)
    with pytest.raises(
        ConfigError, match=r"has no column observation\.state or observation\.state\.\* .*robotics=none"
    ):
        open_robot(root)
    with pytest.raises(
        ConfigError, match=r"has 10 rows per second, 11 were asked for: set data\.target_fps=10 or less"
    ):
        open_robot(root, data={"target_fps": 11.0}, enabled=False)


def test_sources_share_a_batch_only_if_their_states_are_alike(tmp_path: Path) -> None:
    so100, aloha = write_lerobot(tmp_path / "a", "so100"), write_lerobot(tmp_path / "b", "aloha")
    with pytest.raises(ConfigError, match=r"different states, .* \(a joints of 6 numbers, b joints of 14 numbers\)"):
        open_robot(so100, aloha)
    with pytest.raises(ConfigError, match=r"as many cameras in each source \(a 2, b 4\)"):
        open_robot(so100, aloha, enabled=False, camera_views="all")
    other = write_lerobot(tmp_path / "c", "so100", cameras=["observation.images.laptop"])
    assert open_robot(so100, other).names[1].cameras == ["observation.images.laptop"]


def test_images_that_cannot_be_read(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "mine", "pusht")
    (file,) = (root / "data").rglob("*.parquet")
    table = pq.read_table(file)
    for content, message in (
        (b"x", "row 0: observation.image is not a readable image"),
        (None, "rows without an image"),
    ):
        images = [{"bytes": content, "path": "a.png"}] * len(table)
        place = table.column_names.index("observation.image")
        changed = table.set_column(place, "observation.image", [images])
        pq.write_table(changed, file)
        with pytest.raises(SampleError, match=message):
            open_robot(root, state_form="position", temporal_sampling="physical", data={"random_clip_sampling": False})[
                0
            ]


@pytest.mark.parametrize(("preset", "robot"), [("lerobot_so100", "so100"), ("lerobot_aloha", "aloha")])
def test_presets_stream_and_draw(preset: str, robot: str, tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / robot, robot)
    small = ["data.batch_size=2", "data.num_workers=0", "data.img_size=64", "data.frames_per_clip=4", "mask=none"]
    robotics = ["robotics=lerobot", "data_aug=robotics", "task.progress=false"]
    experiment = compose([f"data={preset}", f"data.data_paths=[{root}]", *robotics, *small])
    batch = next(iter(DataManager(experiment).build_train_loader()))
    assert batch["states"].shape == (2, 4, len(ROBOTS[robot]["names"]))
    assert run_task(experiment, tmp_path / "out")["replaced"] == 0
    assert (tmp_path / "out" / "preview.png").is_file()


PAGE = (conf_dir().parent / "docs" / "robots.md").read_text()
COMMANDS = re.findall(r"^ {4}python launch\.py (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_page(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_lerobot(tmp_path / "my_so100", "so100")
    write_lerobot(tmp_path / "my_pusht", "pusht", image=False)
    small = [
        "data.batch_size=1",
        "data.num_workers=0",
        "data.img_size=64",
        "data.frames_per_clip=4",
        "task.preview_clips=1",
    ]
    run_task(compose([*command.split(), *small, "task.progress=false"]), tmp_path / "out")


def test_page_has_a_row_for_every_form() -> None:
    assert re.findall(r"^\| `(\w+)` \| (?:any|\d)", PAGE, re.MULTILINE) == list(STATE_FORMS)


def test_damaged_info(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "mine", "so100")
    file = root / "meta" / "info.json"
    info = json.loads(file.read_text())
    for change in (
        {"fps": "x"},
        {"fps": 0},
        {"fps": float("nan")},
        {"features": []},
        {"features": {"a": 3}},
        {"features": {"a": {"shape": [[]]}}},
    ):
        file.write_text(json.dumps(info | change))
        with pytest.raises(ValueError, match=r"info\.json: is not written as LeRobot does"):
            open_robot(root)


def test_names_below_a_word_and_names_with_places(tmp_path: Path) -> None:
    for number, names in enumerate(({"motors": ALOHA[:6]}, {name: i for i, name in enumerate(ALOHA[:6])}, [ALOHA[:6]])):
        root = write_lerobot(tmp_path / str(number), "so100", names=names, size=6)
        assert open_robot(root).robotics.state_form == "joints"
