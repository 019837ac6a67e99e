"""What becomes of the gripper position, the last number of a state."""

from __future__ import annotations

import numpy as np

from vjepa_pipe.robotics.poses import Array

CLOSED_FROM = 0.5


def gripper_values(states: Array, handling: str, inverted: bool = False) -> Array:
    """States with their gripper as a model wants it.

    Args:
        states: `[T, D]`, the gripper last, from 0 to 1.
        handling: `continuous` keeps it, `binary` makes it 0 or 1 (1 from one half on).
        inverted: Take 1 - gripper first, for data in which 1 means open. (In DROID 1 means closed.)

    Returns:
        float64 `[T, D]`, a copy.

    Raises:
        ValueError: There is no such handling.
    """
    if handling not in ("continuous", "binary"):
        raise ValueError(f"gripper must be continuous or binary here (got {handling!r})")
    changed = np.array(states, np.float64)
    if inverted:
        changed[:, -1] = 1 - changed[:, -1]
    if handling == "binary":
        changed[:, -1] = changed[:, -1] >= CLOSED_FROM
    return changed
