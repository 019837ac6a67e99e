"""From recorded states to the states and actions that a model is fed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.config.state_forms import STATE_FORMS, form_faults
from vjepa_pipe.robotics.actions import differences
from vjepa_pipe.robotics.forms import in_form
from vjepa_pipe.robotics.gripper import gripper_values
from vjepa_pipe.robotics.poses import Array, in_camera_frame


def encode(
    states: Array, extrinsics: Array | None, recorded: Array | None, config: RoboticsConfig
) -> tuple[Array, Array]:
    """States and actions in the frame, form and kind that a config asks for.

    Args:
        states: `[T, D]` as recorded.
        extrinsics: `[T, 6]`, the camera's pose; needed for `camera_frame`.
        recorded: `[T - 1, K]`, the dataset's own actions; needed for `action=dataset`.
        config: What is asked for, and of what form the states are.

    Returns:
        States `[T, S]` and actions `[T - 1, A]`, float64. S is D, one more for quaternions, three more for rot6d, and
        one less without the gripper; A likewise, or K.

    Raises:
        ConfigError: The states are not of that form, or a camera's pose is missing.
    """
    _check_form(states.shape[1], config)
    if config.state_form == "pose":  # a pose and a gripper that is left out
        states, config = np.pad(states, ((0, 0), (0, 1))), replace(config, state_form="pose_gripper", gripper="none")
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
    if config.state_form != "pose_gripper":
        return written, np.diff(written, axis=0)
    return written, _written(differences(states), config)


def _written(values: Array, config: RoboticsConfig) -> Array:
    values = in_form(values, config.rotation)
    return values[:, :-1] if config.gripper == "none" else np.asarray(values, np.float64)


def _check_form(size: int, config: RoboticsConfig) -> None:
    form = config.state_form
    if form == "auto":
        raise ConfigError([f"robotics.state_form must be one of {', '.join(STATE_FORMS)} (got auto)"])
    if faults := list(form_faults(form, config, size)):
        raise ConfigError(faults)
