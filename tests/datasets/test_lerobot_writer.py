"""Against lerobot itself, where it is installed: LEROBOT_PYTHON names an interpreter with lerobot 0.4, or 0.3 for v2.1.

Its own writer makes the datasets, and its own reader says what is in them. It cannot share an environment with us,
since it wants an older PyAV.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lerobot_files import ROBOTS, SIZE, picture, row_of

from vjepa_pipe import RobotDataset
from vjepa_pipe.config import RobotDataConfig, RoboticsConfig

PYTHON = os.environ.get("LEROBOT_PYTHON")
EPISODES = (40, 55)

# Writes the datasets, then what its reader gives for every row, without decoding videos.
RUN = """
import inspect, json, sys
import numpy as np
from pathlib import Path
from lerobot.datasets.lerobot_dataset import LeRobotDataset
BEFORE_04 = "task" in inspect.signature(LeRobotDataset.add_frame).parameters
root, robots, episodes = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
pictures = np.load(sys.argv[4])
for name, said in robots.items():
    numbers = {"dtype": "float32", "shape": (len(said["names"]),), "names": said["names"]}
    stored = "image" if said.get("image") else "video"
    camera = {"dtype": stored, "shape": pictures[0].shape, "names": ["height", "width", "channels"]}
    features = {"observation.state": numbers, "action": numbers, **{c: camera for c in said["cameras"]}}
    made = LeRobotDataset.create(
        f"test/{name}", said["fps"], features, root=root / name, robot_type=name, use_videos=stored == "video"
    )
    rng = np.random.default_rng(0)
    for rows in episodes:
        for row in range(rows):
            drawn = {c: rng.normal(size=numbers["shape"]).astype(np.float32) for c in ("observation.state", "action")}
            frame, task = {**drawn, **{c: pictures[row] for c in said["cameras"]}}, {"task": "push"}
            made.add_frame(frame, **task) if BEFORE_04 else made.add_frame(frame | task)
        made.save_episode()
    BEFORE_04 or made.finalize()
    rows = LeRobotDataset(f"test/{name}", root=root / name).hf_dataset
    columns = ["observation.state", "action", "timestamp"] + said["cameras"] * (stored == "image")
    read = [rows[i] for i in range(len(rows))]
    np.savez(root / f"{name}.npz", **{c: np.stack([np.asarray(row[c]) for row in read]) for c in columns})
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lerobot")
    np.save(root / "pictures.npy", np.stack([picture(row) for row in range(max(EPISODES))]))
    arguments = [str(root), json.dumps(ROBOTS), json.dumps(EPISODES), str(root / "pictures.npy")]
    result = subprocess.run(
        [str(PYTHON), "-c", RUN, *arguments], env=os.environ | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return root


@pytest.mark.skipif(not PYTHON, reason="LEROBOT_PYTHON is not set")
@pytest.mark.parametrize("robot", ROBOTS)
def test_values_are_those_of_lerobots_own_reader(robot: str, written: Path) -> None:
    said, truth = ROBOTS[robot], np.load(written / f"{robot}.npz")
    config: Any = RobotDataConfig(data_paths=[str(written / robot)], layout="lerobot", frames_per_clip=4)
    robotics = RoboticsConfig(
        enabled=True, fps=10.0, alignment="timestamps", action="dataset", camera_views="all",
        state_form="position" if robot == "pusht" else "auto",
    )  # fmt: skip
    found = RobotDataset(config, robotics, on_bad_sample="raise")
    assert found.names[0].cameras == said["cameras"]
    assert len(found) == len(EPISODES)
    for draw in range(5):
        for episode in range(len(EPISODES)):
            sample = found[found.key_of(episode)._replace(position=draw)]
            rows = sample["indices"].numpy() + sum(EPISODES[:episode])
            assert np.array_equal(sample["states"], truth["observation.state"][rows])
            assert np.array_equal(sample["actions"], truth["action"][rows[:-1]])
            videos = sample["video"] if sample["video"].ndim == 5 else sample["video"][None]
            for camera, video in zip(said["cameras"], videos, strict=True):
                frames = video.permute(1, 2, 3, 0).numpy()
                assert frames.shape == (4, *SIZE, 3)
                assert [row_of(frame) for frame in frames] == sample["indices"].tolist()
                if said.get("image"):
                    own = np.round(truth[camera][rows].transpose(0, 2, 3, 1) * 255)
                    assert np.array_equal(frames, own)
