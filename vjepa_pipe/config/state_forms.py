"""What the numbers of a robot's state can be, and what can be asked of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vjepa_pipe.config.robotics import RoboticsConfig


class StateForm(NamedTuple):
    """One kind of state.

    Attributes:
        meaning: What its numbers are, for messages.
        size: How many numbers it has; None: any number.
        subtracts: The difference of two states is an action.
        rotates: It has a rotation, which can be written in several ways and seen from a camera.
        grips: Its last number is a gripper's position, from 0 to 1.
    """

    meaning: str
    size: int | None = None
    subtracts: bool = True
    rotates: bool = False
    grips: bool = False


STATE_FORMS = {
    "pose_gripper": StateForm(
        "x, y, z in metres, roll, pitch, yaw in radians, gripper from 0 to 1", 7, rotates=True, grips=True
    ),
    "pose": StateForm("x, y, z in metres, roll, pitch, yaw in radians", 6, rotates=True),
    "joints": StateForm("positions of joints, those of grippers among them"),
    "position": StateForm("coordinates of points"),
    "ee_delta": StateForm("changes of the end effector's pose", subtracts=False),
    "other": StateForm("anything else, kept as recorded", subtracts=False),
}
"""The values of `robotics.state_form` beside `auto`. Differences of poses are those of rigid transforms, all others are
plain: each number of the next state minus that of the state."""


def form_faults(form: str, robotics: RoboticsConfig, size: int | None = None) -> Iterator[str]:
    """A line for each setting that asks of a state what states of its form do not have.

    Args:
        form: One of `STATE_FORMS`.
        robotics: What is asked for.
        size: Numbers of a state, where known.
    """
    kind = STATE_FORMS[form]
    given = f"with robotics.state_form={form}, {kind.meaning}"
    if None not in (kind.size, size) and kind.size != size:
        yield f"robotics.state_form={form} is {kind.size} numbers, {kind.meaning}; data.state_keys give {size}"
    if robotics.action == "difference" and not kind.subtracts:
        yield f"robotics.action must be dataset or absolute {given} (got difference)"
    if robotics.rotation != "euler_xyz" and not kind.rotates:
        yield f"robotics.rotation must be euler_xyz, as by default, {given} (got {robotics.rotation})"
    if robotics.camera_frame and not kind.rotates:
        yield f"robotics.camera_frame must be false {given} (only poses can be seen from a camera)"
    if robotics.gripper != "continuous" and not kind.grips:
        yield f"robotics.gripper must be continuous {given} (got {robotics.gripper})"
    if robotics.gripper_inverted and not kind.grips:
        yield f"robotics.gripper_inverted must be false {given} (got true)"
