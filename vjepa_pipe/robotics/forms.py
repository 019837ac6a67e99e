"""Ways to write a rotation, for states and actions."""

from __future__ import annotations

import numpy as np

from vjepa_pipe.robotics.poses import POSE, Array, rotations

ROTATION_SIZES = {"euler_xyz": 3, "quaternion": 4, "rot6d": 6}
"""The forms, and how many numbers each takes."""


def in_form(poses: Array, form: str) -> Array:
    """Poses with their rotation written in another form.

    - `euler_xyz`: unchanged, three angles in radians;
    - `quaternion`: x, y, z, w of length 1, the one of the two signs with w >= 0;
    - `rot6d`: the first two columns of the rotation matrix, one after the other (Zhou et al., CVPR 2019), which has no
      jump anywhere.

    Args:
        poses: `[T, 6 or more]`: position, Euler angles, and whatever follows.
        form: One of `ROTATION_SIZES`.

    Returns:
        float64 `[T, 3 + ROTATION_SIZES[form] + rest]`.

    Raises:
        ValueError: There is no such form.
    """
    if form not in ROTATION_SIZES:
        raise ValueError(f"rotation must be one of {', '.join(ROTATION_SIZES)} (got {form!r})")
    if form == "euler_xyz":
        return poses
    if not len(poses):
        return np.empty((0, poses.shape[1] - 3 + ROTATION_SIZES[form]))
    rotation = rotations(poses[:, 3:POSE])
    if form == "quaternion":
        written = rotation.as_quat(canonical=True)
    else:
        written = rotation.as_matrix()[:, :, :2].transpose(0, 2, 1).reshape(len(poses), 6)
    return np.concatenate([poses[:, :3], written, poses[:, POSE:]], axis=1)
