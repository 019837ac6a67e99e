"""What the numbers of a state are, where their names leave no doubt."""

from __future__ import annotations

import re
from collections.abc import Sequence

POSE = ("x", "y", "z", "roll", "pitch", "yaw")
GRIPPER = "gripper"
DELTA = "delta_"
BY_NAME = {
    (*POSE, GRIPPER): "pose_gripper",
    POSE: "pose",
    ("x", "y"): "position",
    ("x", "y", "z"): "position",
}
JOINT = re.compile(r"\.pos$|joint|shoulder|elbow|forearm|wrist|waist|finger|thumb|hip|knee|ankle")
NO_JOINT = re.compile(r"vel|speed|acc|effort|torque|force|current|load|temp|delta|(^|[._/])q?[xyzw]($|[._/])")
"""Speeds, forces, changes and coordinates, whatever stands before or behind."""


def form_of(names: Sequence[str]) -> str | None:
    """The form of a state, see `robotics.state_form`.

    - `pose_gripper`, `pose`: `x, y, z, roll, pitch, yaw`, with or without `gripper`;
    - `position`: `x, y` or `x, y, z`;
    - `ee_delta`: `delta_x, delta_y, ...`, perhaps with a gripper;
    - `joints`: each ends with `.pos`, as LeRobot names the positions of motors, or speaks of a joint, such as `joint_0`
      or `left_elbow`; grippers may be among them.

    Names such as `motor_0` or `j0` stand for anything, and so do `rx, ry, rz`, which some mean as a rotation vector.

    Args:
        names: What each number is called, in any case.

    Returns:
        The form; None where the names leave it open.
    """
    said = tuple(name.lower() for name in names)
    if said in BY_NAME:
        return BY_NAME[said]
    arm = [name for name in said if GRIPPER not in name]
    if arm and all(name.startswith(DELTA) and name.removeprefix(DELTA) in POSE for name in arm):
        return "ee_delta"
    if arm and all(JOINT.search(name) for name in arm) and not any(NO_JOINT.search(name) for name in said):
        return "joints"
    return None
