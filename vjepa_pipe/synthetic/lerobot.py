"""The synthetic robot episodes in the layout of LeRobot datasets, versions 2.1 and 3.0."""

from __future__ import annotations

import json
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import numpy as np

from vjepa_pipe.sources.folders import new_folder
from vjepa_pipe.synthetic.droid import VERSION, motions, write_video
from vjepa_pipe.synthetic.robot_world import CAMERA_PLACES, HEIGHT, ROW_FPS, WIDTH, Motion, camera_pose, draw_frames

CAMERAS = ("observation.images.exterior_1_left", "observation.images.exterior_2_left")
LAYOUT = 2
"""Part of the folder's name: raise it when the same episodes would be written otherwise."""
AXES = ["x", "y", "z", "roll", "pitch", "yaw"]
NAMES = {
    "observation.state.cartesian_position": AXES, "observation.state.gripper_position": ["gripper"],
    "action": [*AXES, "gripper"],
}  # fmt: skip
FILES = 2
"""Files that the episodes of a dataset of version 3.0 are spread over."""
V2_DATA = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
V2_VIDEO = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
V3_DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
V3_VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"


def write_synthetic_lerobot(folder: str | Path, num_episodes: int, version: str = "v3.0", seed: int = 0) -> Path:
    """Write a LeRobot dataset: the motions of `write_synthetic_droid`, recorded at an even 15 rows per second.

    Args:
        folder: Where to keep it; a folder of its own is made inside.
        num_episodes: How many, from 1.
        version: `v2.1` or `v3.0`.
        seed: Chooses the motions.

    Returns:
        The dataset's folder, for `LeRobotSource`.

    Raises:
        ValueError: There is no such version.
        OSError: The folder cannot be written.
    """
    if version not in ("v2.1", "v3.0"):
        raise ValueError(f"version must be v2.1 or v3.0 (got {version!r})")
    target = Path(folder) / f"robot-lerobot{LAYOUT}-{version}-{num_episodes}-seed{seed}-v{VERSION}"
    if not target.is_dir():
        episodes = list(motions(num_episodes, seed))
        with new_folder(target) as draft:
            _write_info(draft, episodes, version)
            (_write_v2 if version == "v2.1" else _write_v3)(draft, episodes)
    return target


def _write_v2(root: Path, episodes: list[Motion]) -> None:
    lines = []
    for index, motion in enumerate(episodes):
        where = {"episode_chunk": 0, "episode_index": index}
        _write_table(root / V2_DATA.format(**where), _columns([motion], index, 0))
        for number, camera in enumerate(CAMERAS):
            write_video(root / V2_VIDEO.format(video_key=camera, **where), _film([motion], number), ROW_FPS)
        lines.append(json.dumps({"episode_index": index, "tasks": [motion.task], "length": len(motion.states)}))
    (root / "meta" / "episodes.jsonl").write_text("\n".join(lines) + "\n")


def _write_v3(root: Path, episodes: list[Motion]) -> None:
    lengths = [len(motion.states) for motion in episodes]
    starts = [0, *accumulate(lengths)]
    listed = []
    for file, indices in enumerate(np.array_split(np.arange(len(episodes)), FILES)):
        if not len(indices):
            continue
        chosen = [episodes[i] for i in indices]
        where = {"chunk_index": 0, "file_index": file}
        first = starts[indices[0]]
        _write_table(root / V3_DATA.format(**where), _columns(chosen, int(indices[0]), first))
        for number, camera in enumerate(CAMERAS):
            write_video(root / V3_VIDEO.format(video_key=camera, **where), _film(chosen, number), ROW_FPS)
        for i in map(int, indices):
            row: dict[str, Any] = {
                "episode_index": i, "tasks": [episodes[i].task], "length": lengths[i],
                "data/chunk_index": 0, "data/file_index": file,
                "dataset_from_index": starts[i], "dataset_to_index": starts[i + 1],
            }  # fmt: skip
            for camera in CAMERAS:
                row |= {
                    f"videos/{camera}/chunk_index": 0, f"videos/{camera}/file_index": file,
                    f"videos/{camera}/from_timestamp": (starts[i] - first) / ROW_FPS,
                    f"videos/{camera}/to_timestamp": (starts[i + 1] - first) / ROW_FPS,
                }  # fmt: skip
            listed.append(row)
    columns = {name: [row[name] for row in listed] for name in listed[0]}
    _write_table(root / "meta" / "episodes" / "chunk-000" / "file-000.parquet", columns)


def _columns(episodes: list[Motion], first_episode: int, first_row: int) -> dict[str, Any]:
    """The rows of some episodes that stand in one file."""
    states = np.concatenate([motion.states for motion in episodes])
    lengths = [len(motion.states) for motion in episodes]
    frames = np.concatenate([np.arange(length) for length in lengths])
    columns: dict[str, Any] = {
        "observation.state.cartesian_position": states[:, :6].tolist(),
        "observation.state.gripper_position": states[:, 6:].tolist(),
        "action": np.concatenate([motion.velocities for motion in episodes]).tolist(),
        "timestamp": (frames / ROW_FPS).astype(np.float32),
        "frame_index": frames,
        "episode_index": np.repeat(np.arange(len(episodes)) + first_episode, lengths),
        "index": np.arange(len(states)) + first_row,
        "task_index": np.zeros(len(states), np.int64),
    }
    for camera, place in zip(CAMERAS, CAMERA_PLACES, strict=True):
        columns[f"camera_extrinsics.{camera.rpartition('.')[2]}"] = [camera_pose(place).tolist()] * len(states)
    return columns


def _film(episodes: list[Motion], camera: int) -> Any:
    pose = camera_pose(CAMERA_PLACES[camera])
    return chain.from_iterable(draw_frames(motion.states, pose, camera) for motion in episodes)


def _write_info(root: Path, episodes: list[Motion], version: str) -> None:
    (root / "meta").mkdir(parents=True)
    shapes = {name: np.shape(values)[1:] or (1,) for name, values in _columns(episodes[:1], 0, 0).items()}
    whole = ("frame_index", "episode_index", "index", "task_index")
    features: dict[str, Any] = {
        name: {
            "dtype": "int64" if name in whole else "float32" if name == "timestamp" else "float64",
            "shape": list(shape),
            "names": {"axes": NAMES[name]} if name in NAMES else None,
        }
        for name, shape in shapes.items()
    }
    for camera in CAMERAS:
        features[camera] = {"dtype": "video", "shape": [HEIGHT, WIDTH, 3], "names": ["height", "width", "channels"]}
    info = {
        "codebase_version": version, "robot_type": "synthetic", "fps": ROW_FPS, "chunks_size": 1000,
        "total_episodes": len(episodes), "total_frames": sum(len(motion.states) for motion in episodes),
        "data_path": V2_DATA if version == "v2.1" else V3_DATA,
        "video_path": V2_VIDEO if version == "v2.1" else V3_VIDEO,
        "features": features,
    }  # fmt: skip
    (root / "meta" / "info.json").write_text(json.dumps(info, indent=2))


def _write_table(file: Path, columns: dict[str, Any]) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), file, row_group_size=100)
