"""What an experiment may say about robot states and actions: group `robotics/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.state_forms import STATE_FORMS

CAMERA_VIEWS = ("random", "first", "all")
TEMPORAL_SAMPLING = ("physical", "reference")
ALIGNMENTS = ("rows", "timestamps")
ACTIONS = ("difference", "absolute", "dataset")
ROTATIONS = ("euler_xyz", "quaternion", "rot6d")
GRIPPERS = ("continuous", "binary", "none")
NORMALIZATIONS = ("none", "standard", "quantile")


@dataclass
class RoboticsConfig:
    """Video alone, without robot states and actions; the base of the options that have them.

    python launch.py robotics=none
    """

    enabled: bool = setting(False, "samples carry robot states and actions")
    camera_views: str = setting(
        "random",
        "which of data.cameras a sample shows: one at random, the first, or all, stacked [V, C, T, H, W]",
        choices=CAMERA_VIEWS,
    )
    stereo: bool = setting(False, "both eyes of each camera as two views, from raw DROID's SERIAL-stereo.mp4")
    shared_crop: bool = setting(True, "all views of a sample are augmented alike; false: each draws its own crop")
    camera_frame: bool = setting(False, "states and actions in the camera's frame instead of the robot's base")
    frameskip: int = setting(
        1, "states and actions for every how many frames; the frames are all kept", ge=1, le=10_000
    )
    fps: Optional[float] = setting(
        None, "frames per second of a clip; the presets take data.target_fps; unset takes every row", gt=0, le=10_000
    )
    temporal_sampling: str = setting(
        "physical",
        "which rows: physical goes by when they were recorded; reference trusts the mp4 header, as the published "
        "loader does (60 in raw DROID for a 15 Hz capture, so clips span four times as long)",
        choices=TEMPORAL_SAMPLING,
    )
    alignment: str = setting(
        "rows",
        "which frame shows a row: rows pairs row i with frame i; timestamps pairs them by their clocks (raw DROID: "
        "SERIAL_timestamps.json beside the video; LeRobot: the column timestamp)",
        choices=ALIGNMENTS,
    )
    time_tolerance_sec: float = setting(
        0.001, "most that a frame may be off its row, with alignment=timestamps", gt=0, le=1e6
    )
    max_gap_sec: float = setting(
        0.25, "longest pause between rows within a clip, with alignment=timestamps", gt=0, le=1e9
    )
    max_missing_frames: int = setting(
        1,
        "frames by which a video may be shorter or longer than its rows (physical); DROID is often one short",
        ge=0,
        le=10**9,
    )
    state_form: str = setting(
        "auto",
        "what the numbers of data.state_keys are: pose_gripper (x, y, z in metres, angles about the fixed x, y, z axes "
        "in radians, gripper from 0 to 1), pose (without the gripper), joints, position (coordinates), ee_delta "
        "(changes of the end effector), other; auto: as their names say, and an error where those leave it open",
        choices=("auto", *STATE_FORMS),
    )
    action: str = setting(
        "difference",
        "difference of a state and the next, of poses as rigid transforms; absolute: the next state; dataset: "
        "data.action_keys at the row",
        choices=ACTIONS,
    )
    rotation: str = setting("euler_xyz", "how rotations of states and actions are written, of poses", choices=ROTATIONS)
    gripper: str = setting(
        "continuous", "the last number of a state: kept, 0 or 1 (from 0.5 on), or left out", choices=GRIPPERS
    )
    gripper_inverted: bool = setting(False, "take 1 - gripper, for data in which 1 means open")
    normalization: str = setting(
        "none",
        "standard: mean 0 and deviation 1; quantile: 1st and 99th percentile to -1 and 1; with task=statistics' file",
        choices=NORMALIZATIONS,
    )
    statistics: Optional[str] = setting(
        None, "statistics file for normalization; unset: the one that task=statistics kept for this data", path=True
    )
