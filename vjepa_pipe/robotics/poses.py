"""Poses as rigid transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.extras import import_extra

Array = NDArray[np.float64]

POSE = 6
"""Numbers of a pose: x, y, z and three angles."""


def rotations(angles: Array) -> Any:
    """The scipy rotations of Euler angles `[T, 3]`, in radians about the fixed x, y and z axes."""
    return import_extra("scipy.spatial.transform", "robotics").Rotation.from_euler("xyz", angles)


def angles_of(rotation: Any) -> Array:
    """Euler angles `[T, 3]` of scipy rotations.

    Where the middle angle is a quarter turn (gimbal lock), the first and last are not both determined; scipy sets
    the last to 0, and the rotation stays right.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gimbal lock detected")
        return np.asarray(rotation.as_euler("xyz"), np.float64)


def in_camera_frame(states: Array, extrinsics: Array) -> Array:
    """States as a camera sees them: inv(E) P for each row.

    Args:
        states: `[T, 6 or more]`, a pose and whatever follows it, such as the gripper.
        extrinsics: `[T, 6]`, the camera's pose in the same frame.

    Returns:
        States of the same shape; what follows the pose is unchanged.

    Raises:
        ValueError: The shapes do not fit.
    """
    if states.ndim != 2 or states.shape[1] < POSE or extrinsics.shape != (len(states), POSE):
        raise ValueError(
            f"states must be [T, 6 or more] and extrinsics [T, 6] (got {list(states.shape)}, {list(extrinsics.shape)})"
        )
    camera = rotations(extrinsics[:, 3:]).inv()
    positions = camera.apply(states[:, :3] - extrinsics[:, :3])
    angles = angles_of(camera * rotations(states[:, 3:POSE]))
    return np.concatenate([positions, angles, states[:, POSE:]], axis=1)
