"""Where a point of the robot's world is in a picture."""

from __future__ import annotations

import numpy as np

from vjepa_pipe.robotics.poses import Array, rotations


def project(points: Array, extrinsics: Array, focal_length: float, width: int, height: int) -> Array:
    """Pixels of points seen by a pinhole camera, which looks along its z axis with x to the right and y down.

    Args:
        points: `[T, 3]`, in the frame of the robot's base.
        extrinsics: `[T, 6]`, the camera's pose in that frame.
        focal_length: In picture widths: 0.5 sees 90 degrees across.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.

    Returns:
        float64 `[T, 2]`: x and y in pixels, from the picture's top left corner; NaN for points behind the camera.
        The centre of the first pixel is at (0.5, 0.5).
    """
    seen = rotations(extrinsics[:, 3:]).inv().apply(points - extrinsics[:, :3])
    depth = np.where(seen[:, 2:] > 0, seen[:, 2:], np.nan)
    return np.asarray(focal_length * width * seen[:, :2] / depth + np.array([width, height]) / 2, np.float64)
