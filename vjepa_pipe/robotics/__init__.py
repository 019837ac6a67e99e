"""Robot poses, actions, cameras and clocks: arithmetic on arrays, which opens no file.

States may be of any form in `vjepa_pipe.config.state_forms`; two of them hold a pose.

A pose is `[x, y, z, a, b, c]`: metres, then the angles in radians about the fixed x, y and z axes, in this order
(scipy's extrinsic `xyz`), in the frame of the robot's base. A state of form
`pose_gripper` is a pose and a gripper position. This is how raw
DROID stores them and how the published V-JEPA 2-AC loader reads them (vjepa2 `app/vjepa_droid/droid.py`).
"""

from __future__ import annotations

from vjepa_pipe.robotics.actions import compose, differences
from vjepa_pipe.robotics.alignment import AlignmentError, frames_at, physical_rows, reference_rows, timed_rows
from vjepa_pipe.robotics.cameras import project
from vjepa_pipe.robotics.forms import ROTATION_SIZES, in_form
from vjepa_pipe.robotics.gripper import gripper_values
from vjepa_pipe.robotics.poses import in_camera_frame
from vjepa_pipe.robotics.state_names import form_of
from vjepa_pipe.robotics.statistics import Statistics

__all__ = [
    "ROTATION_SIZES",
    "AlignmentError",
    "Statistics",
    "compose",
    "differences",
    "form_of",
    "frames_at",
    "gripper_values",
    "in_camera_frame",
    "in_form",
    "physical_rows",
    "project",
    "reference_rows",
    "timed_rows",
]
