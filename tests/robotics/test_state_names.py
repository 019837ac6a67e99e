"""Names that say what a state is, and names that do not."""

from __future__ import annotations

import pytest

from vjepa_pipe.robotics import form_of

POSE = ["x", "y", "z", "roll", "pitch", "yaw"]


@pytest.mark.parametrize(("names", "form"), [
    ([*POSE, "gripper"], "pose_gripper"), (POSE, "pose"), (["X", "Y"], "position"),
    (["shoulder_pan.pos", "gripper.pos"], "joints"), (["main_shoulder_pan", "main_gripper"], "joints"),
    (["left_waist", "left_forearm_roll", "left_gripper"], "joints"), (["joint_0", "joint_1", "gripper"], "joints"),
    (["delta_x", "delta_y", "delta_z", "gripper"], "ee_delta"),
    ([*POSE, "gripper", "gripper"], None),
    (["ee.x", "ee.y", "ee.z", "ee.wx", "ee.wy", "ee.wz", "ee.gripper_pos"], None),
    (["x", "y", "z", "rx", "ry", "rz"], None), ([f"j{i}" for i in range(7)], None), (["motor_0", "motor_1"], None),
    (["arm_shoulder_pan.pos", "x.vel", "y.vel"], None), (["joint_0", "joint_0_vel"], None),
    (["wrist_x", "wrist_y"], None),
    (["vel.x", "vel.y"], None), (["delta_joint_0"], None), (["gripper"], None), ([], None),
])  # fmt: skip
def test_form_of(names: list[str], form: str | None) -> None:
    assert form_of(names) == form
