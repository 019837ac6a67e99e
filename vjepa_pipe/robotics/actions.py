"""Actions as the difference of two states, and their inverse."""

from __future__ import annotations

import numpy as np

from vjepa_pipe.robotics.poses import POSE, Array, angles_of, rotations

STATE = 7
"""Numbers of a state: a pose and the gripper."""


def differences(states: Array) -> Array:
    """The action from each state to the next.

    `[x' - x, angles of R' R^T, g' - g]`: both parts are seen in the frame that the states are given in, so a turn is
    applied from the left. Rule of vjepa2 `app/vjepa_droid/droid.py` (`poses_to_diffs`).

    Args:
        states: `[T, 7]`, T from 1.

    Returns:
        float64 `[T - 1, 7]`.

    Raises:
        ValueError: The shape is another one.
    """
    _check("states", states)
    if len(states) < 2:
        return np.empty((0, STATE))
    before, after = states[:-1], states[1:]
    turns = rotations(after[:, 3:POSE]) * rotations(before[:, 3:POSE]).inv()
    return np.concatenate([after[:, :3] - before[:, :3], angles_of(turns), after[:, POSE:] - before[:, POSE:]], axis=1)


def compose(states: Array, actions: Array) -> Array:
    """The states that actions lead to: the inverse of `differences`.

    Args:
        states: `[T, 7]`.
        actions: `[T, 7]`, one for each state.

    Returns:
        float64 `[T, 7]`, the gripper kept from 0 to 1. Angles may be written differently from those that `differences`
        was given, where several triples name one rotation.

    Raises:
        ValueError: The shapes are other ones.
    """
    _check("states", states)
    _check("actions", actions)
    if len(states) != len(actions):
        raise ValueError(f"states and actions must be equally many (got {len(states)} and {len(actions)})")
    if not len(states):
        return np.empty((0, STATE))
    turned = angles_of(rotations(actions[:, 3:POSE]) * rotations(states[:, 3:POSE]))
    gripper = np.clip(states[:, POSE:] + actions[:, POSE:], 0, 1)
    return np.concatenate([states[:, :3] + actions[:, :3], turned, gripper], axis=1)


def _check(name: str, values: Array) -> None:
    if values.ndim != 2 or values.shape[1] != STATE:
        raise ValueError(f"{name} must be [T, {STATE}] (got {list(values.shape)})")
