"""RobotDataset: the marker in the pixels is where the states say, in every layout and sampling mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from robot_footage import marker_place

from vjepa_pipe import DataManager, RobotDataset, compose
from vjepa_pipe.config import ConfigError, RobotDataConfig, RoboticsConfig
from vjepa_pipe.robotics import compose as compose_pose
from vjepa_pipe.robotics import differences, in_camera_frame, project
from vjepa_pipe.sampling import SampleKey
from vjepa_pipe.synthetic import write_synthetic_droid, write_synthetic_lerobot
from vjepa_pipe.synthetic.robot_world import FOCAL_LENGTH, HEIGHT, WIDTH
from vjepa_pipe.video import DecordDecoder

DROID_CAMERAS = ["left_mp4_path", "right_mp4_path"]
LEROBOT_CAMERAS = ["observation.images.exterior_1_left", "observation.images.exterior_2_left"]
LAYOUTS = ("droid", "v2.1", "v3.0")
EPISODES = 4


@pytest.fixture(scope="session")
def robots(cache: Path) -> dict[str, Path]:
    """The synthetic episodes, in each layout."""
    return {
        "droid": write_synthetic_droid(cache, EPISODES),
        **{version: write_synthetic_lerobot(cache, EPISODES, version) for version in LAYOUTS[1:]},
    }


def dataset(robots: dict[str, Path], layout: str, data: dict[str, Any] | None = None, **kwargs: Any) -> RobotDataset:
    """A dataset that raises; further arguments are settings of `robotics/`."""
    droid = layout == "droid"
    settings = {"layout": "droid" if droid else "lerobot", "cameras": DROID_CAMERAS if droid else LEROBOT_CAMERAS}
    robotics = {"enabled": True, "fps": 4.0, "time_tolerance_sec": 0.05 if droid else 0.001} | kwargs
    config = RobotDataConfig(data_paths=[str(robots[layout])], **(settings | (data or {})))
    return RobotDataset(config, RoboticsConfig(**robotics), on_bad_sample="raise")


def keys(found: RobotDataset, draws: int = 2) -> list[SampleKey]:
    return [found.key_of(row)._replace(position=row + 100 * draw) for row in range(len(found)) for draw in range(draws)]


def assert_marker_is_where_states_say(found: RobotDataset, key: SampleKey) -> None:
    """Consecutive rows are 3 or more pixels apart, so a frame off by one shows."""
    clip, sample = found.read(key), found[key]
    videos = sample["video"] if sample["video"].ndim == 5 else sample["video"][None]
    for view, video in enumerate(videos):
        expected = project(clip.states[:, :3], clip.extrinsics[view], FOCAL_LENGTH, WIDTH, HEIGHT)
        frames = video.permute(1, 2, 3, 0).numpy()[:: found.robotics.frameskip]
        seen = np.array([marker_place(frame) for frame in frames])
        assert np.abs(seen - expected).max() < 1.0, (key, view)


MODES = [
    ("droid", {}), ("droid", {"alignment": "timestamps"}), ("droid", {"temporal_sampling": "reference"}),
    ("droid", {"fps": None}), ("droid", {"frameskip": 2}), ("droid", {"camera_views": "all"}),
    ("droid", {"stereo": True}), ("droid", {"stereo": True, "camera_views": "all", "alignment": "timestamps"}),
    *[(layout, mode) for layout in LAYOUTS[1:] for mode in (
        {}, {"alignment": "timestamps"}, {"temporal_sampling": "reference"},
        {"temporal_sampling": "reference", "alignment": "timestamps"}, {"camera_views": "all", "fps": None},
    )],
]  # fmt: skip


@pytest.mark.parametrize(("layout", "mode"), MODES, ids=str)
def test_marker_is_where_states_say(robots: dict[str, Path], layout: str, mode: dict[str, Any]) -> None:
    found = dataset(robots, layout, **mode)
    for key in keys(found):
        assert_marker_is_where_states_say(found, key)


def test_a_row_off_by_one_would_be_seen(robots: dict[str, Path]) -> None:
    """The check above is worth something: the states of the next row do not fit."""
    found = dataset(robots, "droid", fps=None)
    clip = found.read(found.key_of(0))
    wrong = project(clip.states[1:, :3], clip.extrinsics[0][1:], FOCAL_LENGTH, WIDTH, HEIGHT)
    seen = np.array([marker_place(frame) for frame in clip.frames[0][:-1]])
    assert np.abs(seen - wrong).max() > 2.0


def test_sample_has_the_published_entries(robots: dict[str, Path]) -> None:
    sample = dataset(robots, "droid")[0]
    shapes = {name: tuple(sample[name].shape) for name in ("video", "actions", "states", "extrinsics", "indices")}
    assert shapes == {
        "video": (3, 8, HEIGHT, WIDTH), "actions": (7, 7), "states": (8, 7), "extrinsics": (8, 6), "indices": (8,),
    }  # fmt: skip
    assert sample["states"].dtype == sample["actions"].dtype == sample["extrinsics"].dtype == torch.float64
    assert sample["indices"].dtype == sample["clip_indices"].dtype == torch.int64
    with h5py.File(robots["droid"] / "success" / "episode_000" / "trajectory.h5") as file:
        pose = file["observation/robot_state/cartesian_position"][:]
        gripper = file["observation/robot_state/gripper_position"][:]
    recorded = np.concatenate([pose, gripper[:, None]], axis=1)[sample["indices"]]
    assert np.array_equal(sample["states"], recorded)
    assert np.array_equal(sample["actions"], differences(recorded))


def test_reference_and_physical_time(robots: dict[str, Path]) -> None:
    """The header says 60 fps, rows come at 15: reference takes every 15th, physical 4 per second."""
    reference = dataset(robots, "droid", temporal_sampling="reference")[0]["indices"]
    physical = dataset(robots, "droid")[0]["indices"]
    assert reference.diff().tolist() == [15] * 7
    assert int(physical[-1] - physical[0]) == 26
    assert physical.diff().tolist() == [4, 3, 4, 4, 4, 3, 4]


def test_lerobot_frames_count_from_where_the_episode_begins(robots: dict[str, Path]) -> None:
    found = dataset(robots, "v3.0", alignment="timestamps")
    second = found[1]
    first_length = found.sources[0].open(0).num_rows
    assert torch.equal(second["clip_indices"], second["indices"] + first_length)
    assert torch.equal(found[2]["clip_indices"], found[2]["indices"])  # the first episode of the second file
    for row in range(EPISODES):
        assert torch.equal(found[row]["states"], dataset(robots, "v2.1", alignment="timestamps")[row]["states"])


def test_sample_depends_on_its_key_alone(robots: dict[str, Path]) -> None:
    key = SampleKey(3, 1, 17, 0, 2)
    first, second = dataset(robots, "droid"), dataset(robots, "droid")
    first[0]
    a, b = first[key], second[key]
    assert all(torch.equal(a[name], b[name]) for name in ("video", "states", "actions", "indices"))
    assert not torch.equal(a["indices"], first[key._replace(position=18)]["indices"])
    cameras = {first[key._replace(position=p)]["camera"][0] for p in range(12)}
    assert cameras == set(DROID_CAMERAS)
    assert {first_only["camera"][0] for first_only in map(dataset(robots, "droid", camera_views="first").__getitem__,
            [key._replace(position=p) for p in range(4)])} == {DROID_CAMERAS[0]}  # fmt: skip


def test_decoders_agree(robots: dict[str, Path]) -> None:
    found, other = dataset(robots, "v3.0", alignment="timestamps"), dataset(robots, "v3.0", alignment="timestamps")
    other.decoder = DecordDecoder()
    a, b = found[1], other[1]
    assert torch.equal(a["clip_indices"], b["clip_indices"])
    assert (a["video"].int() - b["video"].int()).abs().max() <= 1


def test_camera_frame_of_each_view(robots: dict[str, Path]) -> None:
    sample = dataset(robots, "droid", camera_frame=True, camera_views="all")[0]
    plain = dataset(robots, "droid", camera_views="all")[0]
    assert sample["states"].shape == (2, 8, 7) and sample["actions"].shape == (2, 7, 7)
    for view in range(2):
        seen = in_camera_frame(plain["states"].numpy(), plain["extrinsics"][view].numpy())
        assert np.array_equal(sample["states"][view], seen)
        reached = compose_pose(seen[:-1], sample["actions"][view].numpy())
        np.testing.assert_allclose(reached[:, :3], seen[1:, :3], atol=1e-12)


@pytest.mark.parametrize(("settings", "states", "actions"), [
    ({"rotation": "quaternion"}, 8, 8), ({"rotation": "rot6d"}, 10, 10), ({"gripper": "none"}, 6, 6),
    ({"action": "absolute"}, 7, 7), ({"action": "dataset"}, 7, 7), ({"action": "dataset", "rotation": "rot6d"}, 10, 7),
    ({"gripper": "binary"}, 7, 7), ({"gripper_inverted": True}, 7, 7),
])  # fmt: skip
@pytest.mark.parametrize("layout", ["droid", "v3.0"])
def test_forms_of_states_and_actions(
    robots: dict[str, Path], layout: str, settings: dict[str, Any], states: int, actions: int
) -> None:
    found, plain = dataset(robots, layout, **settings)[1], dataset(robots, layout)[1]
    assert found["states"].shape == (8, states) and found["actions"].shape == (7, actions)
    assert torch.equal(found["states"][:, :3], plain["states"][:, :3])
    if settings.get("action") == "absolute":
        assert torch.equal(found["actions"], plain["states"][1:])
    if settings.get("gripper") == "binary":
        assert set(found["states"][:, -1].tolist()) <= {0.0, 1.0}
    if settings.get("gripper_inverted"):
        assert torch.allclose(found["states"][:, -1], 1 - plain["states"][:, -1])
        assert torch.allclose(found["actions"][:, -1], -plain["actions"][:, -1])


def test_own_actions_of_both_layouts_are_those_of_the_row(robots: dict[str, Path]) -> None:
    droid = dataset(robots, "droid", action="dataset")[0]
    with h5py.File(robots["droid"] / "success" / "episode_000" / "trajectory.h5") as file:
        assert np.array_equal(droid["actions"][:, :6], file["action/cartesian_velocity"][:][droid["indices"][:-1]])
    lerobot = dataset(robots, "v3.0", action="dataset")
    clip = lerobot.read(lerobot.key_of(3))
    with lerobot.sources[0].open(3) as episode:
        assert np.array_equal(clip.recorded, episode.read(["action"], np.arange(episode.num_rows))[clip.rows[:-1]])


def test_video_alone_without_robotics(robots: dict[str, Path]) -> None:
    config = RobotDataConfig(data_paths=[str(robots["droid"])], frames_per_clip=4, target_fps=5)
    sample = RobotDataset(config)[0]
    assert not {"states", "actions", "extrinsics"} & set(sample)
    assert sample["video"].shape[1] == 4 and sample["indices"].diff().tolist() == [3, 3, 3]


def robot_experiment(robots: dict[str, Path], *more: str) -> Any:
    return compose([
        "data=synthetic_robot", f"data.data_paths=[{robots['droid']}]", "robotics=droid", "data_aug=robotics",
        "mask=none", "data.img_size=64", "data.batch_size=2", "data.num_workers=0",
        f"data.cameras=[{','.join(DROID_CAMERAS)}]", *more,
    ])  # fmt: skip


def test_views_share_the_crop_unless_asked_otherwise(robots: dict[str, Path]) -> None:
    for shared in (True, False):
        options = ["robotics.camera_views=all", f"robotics.shared_crop={str(shared).lower()}"]
        found = DataManager(robot_experiment(robots, *options, "data_aug.crop_scale=[0.3,0.9]")).build_train_dataset()
        assert isinstance(found, RobotDataset)
        key = found.key_of(0)
        clip = found.read(key)
        boxes = {found.crop_box(key, clip, view) for view in range(2)}
        assert len(boxes) == (1 if shared else 2)
        own = found.transform(clip.frames[1], rng=found.augmentation_rng(key, 0 if shared else 1))
        assert torch.equal(found[key]["video"][1], own)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_stream_and_do_not_depend_on_workers(robots: dict[str, Path], workers: int) -> None:
    expected = list(DataManager(robot_experiment(robots)).build_train_loader())
    found = list(DataManager(robot_experiment(robots, f"data.num_workers={workers}")).build_train_loader())
    assert len(found) == len(expected) == EPISODES // 2
    for a, b in zip(found, expected, strict=True):
        assert a["video"].shape == (2, 3, 8, 64, 64)
        assert a["states"].shape == (2, 8, 7) and a["actions"].shape == (2, 7, 7)
        assert all(torch.equal(a[name], b[name]) for name in ("video", "states", "actions", "extrinsics", "indices"))
        assert a["key"] == b["key"]


def test_eval_starts_at_the_first_row(robots: dict[str, Path]) -> None:
    batches = list(DataManager(robot_experiment(robots)).build_eval_loader())
    assert [int(row) for batch in batches for row in batch["row"]] == list(range(EPISODES))
    assert all(int(rows[0]) == 0 for batch in batches for rows in batch["indices"])


def test_released_recipe_always_takes_the_same_centre(robots: dict[str, Path]) -> None:
    """Its crop scale never fits, so it falls back to the centre at width / height 1.35; a setting says so openly."""
    released = compose(["experiment=vjepa2_ac_droid", f"data.data_paths=[{robots['droid']}]"])
    assert (released.robotics.temporal_sampling, released.data.frames_per_clip, released.data.img_size) == (
        "reference", 8, 256,
    )  # fmt: skip
    honest = compose([
        "experiment=vjepa2_ac_droid", f"data.data_paths=[{robots['droid']}]",
        "data_aug.crop_scale=[0.9,1.0]", "data_aug.center_crop_ratio=1.35",
    ])  # fmt: skip
    a, b = (DataManager(config).build_train_dataset() for config in (released, honest))
    for row in range(2):
        key = a.key_of(row)
        assert a.crop_box(key, a.read(key), 0) == (0, 38, 180, 243)
        assert torch.equal(a[key]["video"], b[key]["video"])


def test_a_pose_without_a_gripper(robots: dict[str, Path]) -> None:
    data = {"state_keys": ["observation.state.cartesian_position"]}
    found = dataset(robots, "v3.0", data)
    sample, whole = found[0], dataset(robots, "v3.0")[0]
    assert found.robotics.state_form == "pose"
    assert torch.equal(sample["states"], whole["states"][:, :6])
    assert torch.equal(sample["actions"], whole["actions"][:, :6])
    assert dataset(robots, "v3.0", data, rotation="rot6d")[0]["actions"].shape == (7, 9)
    assert dataset(robots, "v3.0", data, action="dataset")[0]["states"].shape == (8, 6)
    with pytest.raises(ConfigError, match=r"state_form=pose_gripper is 7 numbers, .*; data.state_keys give 6"):
        dataset(robots, "v3.0", data, state_form="pose_gripper")


def test_joints_of_raw_droid_are_told_by_the_name_of_their_column(robots: dict[str, Path]) -> None:
    joints = {"state_keys": ["observation/robot_state/joint_positions"]}
    assert dataset(robots, "droid", joints).robotics.state_form == "joints"
    with pytest.raises(ConfigError, match=r"do not say .* \(observation/robot_state/motor\): set robotics"):
        dataset(robots, "droid", {"state_keys": ["observation/robot_state/motor"]})


def test_list_of_trajectories_as_the_published_loader_reads_it(robots: dict[str, Path], tmp_path: Path) -> None:
    folders = sorted((robots["droid"] / "success").iterdir())
    listed = tmp_path / "list.csv"
    listed.write_text(f"{folders[2]} 0\n{folders[1]}\n\n")
    found = dataset({"droid": listed}, "droid")
    assert len(found) == 2
    assert [found.sources[0].path(i) for i in range(2)] == [str(folders[2]), str(folders[1])]
