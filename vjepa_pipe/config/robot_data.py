"""What an experiment may say about robot data: the options of group `data/` with episodes instead of videos."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.img_size import ImgSize

LAYOUTS = ("droid", "lerobot")
LEROBOT_VERSIONS = ("v2.1", "v3.0")


@dataclass
class RobotDataConfig(DataConfig):
    """Episodes of a robot: videos with a row of numbers for each frame.

    `convention` is for videos alone; what it decides there, `robotics.temporal_sampling` decides here.
    """

    data_paths: list[str] = setting(
        [],
        "droid: files that list trajectory folders, or folders to look for them in; lerobot: datasets; or their URLs",
        path=True,
    )
    frames_per_clip: int = setting(8, "frames in a clip", ge=1, le=10_000)
    target_fps: float = setting(4, "frames per second of a clip", gt=0, le=10_000)
    img_size: ImgSize = setting(
        256, "height and width that a clip is cropped and resized to, in pixels; one number: a square", ge=1, le=8192
    )
    batch_size: int = setting(8, "clips per batch and rank", ge=1, le=65_536)
    short_videos: str = setting("drop", "episodes shorter than a clip are treated as bad", choices=("drop",))
    layout: str = setting("droid", "how the data lies on disk", choices=LAYOUTS)
    cameras: list[str] = setting(
        [],
        "cameras to choose from: keys of DROID's metadata, or LeRobot features; empty: auto, which is left_mp4_path, "
        "or every camera in meta/info.json",
    )
    state_keys: list[str] = setting(
        [],
        "columns that make up a state, side by side; empty: auto, which is DROID's pose and gripper, or "
        "observation.state (else every observation.state.*); robotics.state_form says what they are",
    )
    action_keys: list[str] = setting(
        [],
        "columns of the dataset's own action, for robotics.action=dataset; empty: auto, which is DROID's velocities, "
        "or action (else every action.*)",
    )
    extrinsics_key: Optional[str] = setting(
        None,
        "column of a camera's pose, {camera} and {eye} filled in; unset: auto, which is DROID's, or "
        "camera_extrinsics.{camera} where every camera has one; empty text: none",
    )
    row_fps: float = setting(15, "rows per second of raw DROID; LeRobot datasets say it themselves", gt=0, le=100_000)
    focal_length: Optional[float] = setting(
        None, "of the cameras, in picture widths; unset: preview.png draws no path into the frames", gt=0, le=1000
    )
    _target_: str = setting("vjepa_pipe.datasets.RobotDataset", "what is built from this group")


@dataclass
class SyntheticRobotDataConfig(RobotDataConfig):
    """A gripper-like marker moved by known states, written on first use."""

    num_episodes: int = setting(8, "episodes to write", ge=1, le=100_000)
    lerobot_version: str = setting("v3.0", "version to write, with layout=lerobot", choices=LEROBOT_VERSIONS)
    cache_dir: Optional[str] = setting(
        None, "where the episodes are kept; unset: $VJEPA_PIPE_CACHE, else ~/.cache/vjepa_pipe", path=True
    )


DROID_NAMES = RobotDataConfig(
    cameras=["left_mp4_path"],
    state_keys=["observation/robot_state/cartesian_position", "observation/robot_state/gripper_position"],
    action_keys=["action/cartesian_velocity", "action/gripper_velocity"],
    extrinsics_key="observation/camera_extrinsics/{camera}_{eye}",
)
"""The names in raw DROID, which are the same in every trajectory."""


def with_droid_names(data: RobotDataConfig) -> RobotDataConfig:
    """The same config, with the names in raw DROID where that is the layout and none were given."""
    if data.layout != "droid":
        return data
    return replace(
        data,
        cameras=data.cameras or DROID_NAMES.cameras,
        state_keys=data.state_keys or DROID_NAMES.state_keys,
        action_keys=data.action_keys or DROID_NAMES.action_keys,
        extrinsics_key=DROID_NAMES.extrinsics_key if data.extrinsics_key is None else data.extrinsics_key,
    )
