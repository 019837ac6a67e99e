"""Robot poses, actions, cameras and clocks: arithmetic on arrays, which opens no file.

A pose is `[x, y, z, a, b, c]`: metres, then the angles in radians about the fixed x, y and z axes, in this order
(scipy's extrinsic `xyz`), in the frame of the robot's base. A state is a pose and a gripper position. This is how raw
DROID stores them and how the published V-JEPA 2-AC loader reads them (vjepa2 `app/vjepa_droid/droid.py`).
"""

from __future__ import annotations

from vjepa_pipe.robotics.actions import compose, differences
from vjepa_pipe.robotics.alignment import AlignmentError, frames_at, physical_rows, reference_rows, timed_rows
from vjepa_pipe.robotics.cameras import project
from vjepa_pipe.robotics.forms import ROTATION_SIZES, in_form
from vjepa_pipe.robotics.gripper import gripper_values
from vjepa_pipe.robotics.poses import in_camera_frame
from vjepa_pipe.robotics.statistics import Statistics

__all__ = [
    "ROTATION_SIZES",
    "AlignmentError",
    "Statistics",
    "compose",
    "differences",
    "frames_at",
    "gripper_values",
    "in_camera_frame",
    "in_form",
    "physical_rows",
    "project",
    "reference_rows",
    "timed_rows",
]
