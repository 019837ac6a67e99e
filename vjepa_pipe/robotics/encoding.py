"""From recorded states to the states and actions that a model is fed."""

from __future__ import annotations

import numpy as np

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.robotics.actions import STATE, differences
from vjepa_pipe.robotics.forms import in_form
from vjepa_pipe.robotics.gripper import gripper_values
from vjepa_pipe.robotics.poses import Array, in_camera_frame


def encode(
    states: Array, extrinsics: Array | None, recorded: Array | None, config: RoboticsConfig
) -> tuple[Array, Array]:
    """States and actions in the frame, form and kind that a config asks for.

    Args:
        states: `[T, 7]` as recorded, or `[T, D]` where nothing asks for a pose.
        extrinsics: `[T, 6]`, the camera's pose; needed for `camera_frame`.
        recorded: `[T - 1, K]`, the dataset's own actions; needed for `action=dataset`.
        config: What is asked for.

    Returns:
        States `[T, S]` and actions `[T - 1, A]`, float64. S is 7 for Euler angles, 8 for quaternions, 10 for rot6d, and
        one less without the gripper; A likewise, or K.

    Raises:
        ConfigError: The states are no poses, or a camera's pose is missing.
    """
    _needs_pose(states.shape[1], config)
    if config.camera_frame:
        if extrinsics is None:
            raise ConfigError(["robotics.camera_frame needs data.extrinsics_key: where the camera's pose is"])
        states = in_camera_frame(states, extrinsics)
    if config.gripper_inverted or config.gripper == "binary":
        states = gripper_values(
            states, "binary" if config.gripper == "binary" else "continuous", config.gripper_inverted
        )
    written = _written(states, config)
    if config.action == "dataset":
        assert recorded is not None, "action=dataset reads the dataset's actions"
        return written, recorded
    if config.action == "absolute":
        return written, written[1:]
    return written, _written(differences(states), config)


def _written(values: Array, config: RoboticsConfig) -> Array:
    values = in_form(values, config.rotation)
    return values[:, :-1] if config.gripper == "none" else np.asarray(values, np.float64)


def _needs_pose(size: int, config: RoboticsConfig) -> None:
    """States that are not seven numbers can only be passed on as they are."""
    if size == STATE:
        return
    asked = [
        f"robotics.{name}={value}"
        for name, value, plain in (
            ("action", config.action, config.action != "difference"),
            ("rotation", config.rotation, config.rotation == "euler_xyz"),
            ("camera_frame", config.camera_frame, not config.camera_frame),
        )
        if not plain
    ]
    if asked:
        raise ConfigError(
            [f"data.state_keys give {size} numbers per row; {', '.join(asked)} needs {STATE}: a pose and the gripper"]
        )
