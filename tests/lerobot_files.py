"""Small LeRobot datasets in the shape of common robots: the files that lerobot's own writer leaves.

The picture of row i shows i: its left half is as bright as i says, its right half stays dark.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as pq
from PIL import Image

from vjepa_pipe.synthetic.droid import write_video
from vjepa_pipe.synthetic.lerobot import V2_DATA, V2_VIDEO, V3_DATA, V3_VIDEO

SO100 = [
    f"{name}.pos" for name in ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
]
ARM = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper")
ALOHA = [f"{side}_{joint}" for side in ("left", "right") for joint in ARM]
ROBOTS: dict[str, dict[str, Any]] = {
    "so100": {"cameras": ["observation.images.front", "observation.images.wrist"], "names": SO100, "fps": 30},
    "aloha": {
        "cameras": [f"observation.images.cam_{place}" for place in ("high", "low", "left_wrist", "right_wrist")],
        "names": ALOHA, "fps": 50,
    },
    "pusht": {"cameras": ["observation.image"], "names": ["motor_0", "motor_1"], "fps": 10, "image": True},
}  # fmt: skip
EPISODES = (50, 61)
SIZE = (32, 48)


def picture(row: int) -> np.ndarray:
    """The picture of a row, uint8 `[H, W, 3]`."""
    image = np.zeros((*SIZE, 3), np.uint8)
    image[:, : SIZE[1] // 2] = 40 + 3 * (row % 64)
    return image


def row_of(frame: np.ndarray) -> int:
    """The row that a picture shows, modulo 64."""
    return round((float(np.median(frame[4:-4, 4 : SIZE[1] // 2 - 4])) - 40) / 3)


def write_lerobot(root: Path, robot: str, version: str = "v3.0", **changes: Any) -> Path:
    """Write a dataset.

    Args:
        root: Its folder.
        robot: One of `ROBOTS`.
        version: `v2.0`, `v2.1` or `v3.0`.
        **changes: Instead of what `ROBOTS` says: `cameras`, `names` (of the state's and the action's numbers, None for
            none), `size` (how many), `fps`, `image` (cameras are stored as images).
    """
    said = {"image": False} | ROBOTS[robot] | changes
    cameras, names, fps, image = said["cameras"], said["names"], said["fps"], said["image"]
    size = said.get("size") or len(names)
    episodes = [_rows(index, rows, size, fps) for index, rows in enumerate(EPISODES)]
    for rows in episodes if image else []:
        for camera in cameras:
            rows[camera] = [{"bytes": _png(i), "path": f"frame-{i:06d}.png"} for i in rows["frame_index"]]
    numbers = {"dtype": "float32", "shape": [size], "names": names}
    features = {"observation.state": numbers, "action": numbers}
    features |= {camera: {"dtype": "image" if image else "video", "shape": [*SIZE, 3]} for camera in cameras}
    features |= {name: {"dtype": "int64", "shape": [1]} for name in ("frame_index", "episode_index", "index")}
    features |= {"timestamp": {"dtype": "float32", "shape": [1], "names": None}}
    newest = version == "v3.0"
    info = {
        "codebase_version": version, "robot_type": robot, "fps": fps, "chunks_size": 1000, "features": features,
        "data_path": V3_DATA if newest else V2_DATA,
        "video_path": None if image else V3_VIDEO if newest else V2_VIDEO,
    }  # fmt: skip
    (root / "meta").mkdir(parents=True)
    (root / "meta" / "info.json").write_text(json.dumps(info))
    if newest:
        _write_v3(root, episodes, [] if image else cameras, fps)
    else:
        _write_v2(root, episodes, [] if image else cameras, fps)
    return root


def _rows(episode: int, rows: int, size: int, fps: int) -> dict[str, Any]:
    states = np.random.default_rng(episode).normal(size=(rows, 2, size)).astype(np.float32)
    return {
        "observation.state": states[:, 0].tolist(), "action": states[:, 1].tolist(),
        "timestamp": (np.arange(rows) / fps).astype(np.float32), "frame_index": np.arange(rows),
        "episode_index": np.full(rows, episode), "index": np.arange(rows) + sum(EPISODES[:episode]),
    }  # fmt: skip


def _write_v2(root: Path, episodes: list[dict[str, Any]], cameras: list[str], fps: int) -> None:
    lines = []
    for index, rows in enumerate(episodes):
        where = {"episode_chunk": 0, "episode_index": index}
        _table(root / V2_DATA.format(**where), [rows])
        for camera in cameras:
            film = (picture(row) for row in rows["frame_index"])
            write_video(root / V2_VIDEO.format(video_key=camera, **where), film, fps)
        lines.append(json.dumps({"episode_index": index, "tasks": ["push"], "length": len(rows["index"])}))
    (root / "meta" / "episodes.jsonl").write_text("\n".join(lines))


def _write_v3(root: Path, episodes: list[dict[str, Any]], cameras: list[str], fps: int) -> None:
    where = {"chunk_index": 0, "file_index": 0}
    _table(root / V3_DATA.format(**where), episodes)
    for camera in cameras:
        film = (picture(row) for rows in episodes for row in rows["frame_index"])
        write_video(root / V3_VIDEO.format(video_key=camera, **where), film, fps)
    firsts = [int(rows["index"][0]) for rows in episodes]
    listed = {
        "episode_index": [0, 1], "tasks": [["push"], ["push"]], "length": list(EPISODES),
        "data/chunk_index": [0, 0], "data/file_index": [0, 0], "dataset_from_index": firsts,
    }  # fmt: skip
    for camera in cameras:
        listed |= {f"videos/{camera}/{part}_index": [0, 0] for part in ("chunk", "file")}
        listed[f"videos/{camera}/from_timestamp"] = [first / fps for first in firsts]
    _table(root / "meta" / "episodes" / "chunk-000" / "file-000.parquet", [listed])


def _table(file: Path, parts: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.concat_tables([pyarrow.table(part) for part in parts])
    pq.write_table(table, file, row_group_size=EPISODES[0])


def _png(row: int) -> bytes:
    file = BytesIO()
    Image.fromarray(picture(row)).save(file, "PNG")
    return file.getvalue()
