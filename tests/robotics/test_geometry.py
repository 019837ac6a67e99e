"""Poses and actions: the published values, and what must hold for every pose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from vjepa_pipe.robotics import ROTATION_SIZES, compose, differences, gripper_values, in_camera_frame, in_form, project

CASES = json.loads((Path(__file__).parents[1] / "golden" / "droid_actions.json").read_text())["cases"]
NEAR_GIMBAL = np.pi / 2 - np.array([0, 1e-12, 1e-8, 1e-4])


def states(rows: int | None = None) -> st.SearchStrategy[np.ndarray]:
    """States `[T, 7]`; some have a middle angle of almost a quarter turn, where Euler angles are not unique."""
    angle = st.floats(-np.pi, np.pi) | st.sampled_from([*NEAR_GIMBAL, *-NEAR_GIMBAL, np.pi, -np.pi, 0.0])
    row = st.tuples(*[st.floats(-2, 2)] * 3, *[angle] * 3, st.floats(0, 1))
    return st.lists(row, min_size=rows or 1, max_size=rows or 6).map(lambda rows: np.array(rows, np.float64))


def turned(angles: np.ndarray) -> np.ndarray:
    return Rotation.from_euler("xyz", angles).as_matrix()


def test_published_actions_and_camera_frames() -> None:
    for case in CASES:
        recorded, extrinsics = np.array(case["states"]), np.array(case["extrinsics"])
        np.testing.assert_allclose(differences(recorded), case["actions"], rtol=0, atol=1e-12)
        seen = in_camera_frame(recorded, extrinsics)
        np.testing.assert_allclose(seen, case["states_camera_frame"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(differences(seen), case["actions_camera_frame"], rtol=0, atol=1e-12)
    assert len(CASES) == 6


@given(states())
def test_composing_a_state_with_its_difference_gives_the_next(recorded: np.ndarray) -> None:
    reached = compose(recorded[:-1], differences(recorded))
    assert reached.shape == (len(recorded) - 1, 7)
    np.testing.assert_allclose(reached[:, :3], recorded[1:, :3], atol=1e-12)
    np.testing.assert_allclose(reached[:, 6], recorded[1:, 6], atol=1e-12)
    if len(reached):
        np.testing.assert_allclose(turned(reached[:, 3:6]), turned(recorded[1:, 3:6]), atol=1e-6)


def test_gripper_stays_between_open_and_closed() -> None:
    state, action = np.zeros((1, 7)), np.zeros((1, 7))
    state[0, 6], action[0, 6] = 0.8, 0.5
    assert compose(state, action)[0, 6] == 1.0
    assert compose(state, -2 * action)[0, 6] == 0.0


@given(states(3), states(3))
def test_camera_frame_is_undone_by_the_cameras_pose(recorded: np.ndarray, cameras: np.ndarray) -> None:
    seen = in_camera_frame(recorded, cameras[:, :6])
    camera = turned(cameras[:, 3:6])
    back = np.einsum("tij,tj->ti", camera, seen[:, :3]) + cameras[:, :3]
    np.testing.assert_allclose(back, recorded[:, :3], atol=1e-9)
    np.testing.assert_allclose(camera @ turned(seen[:, 3:6]), turned(recorded[:, 3:6]), atol=1e-6)
    assert np.array_equal(seen[:, 6], recorded[:, 6])


@given(states())
def test_rotation_forms_name_the_same_rotation(recorded: np.ndarray) -> None:
    matrices = turned(recorded[:, 3:6])
    for form, size in ROTATION_SIZES.items():
        written = in_form(recorded, form)
        assert written.shape == (len(recorded), 4 + size)
        assert np.array_equal(written[:, [0, 1, 2, -1]], recorded[:, [0, 1, 2, -1]])
    quaternions = in_form(recorded, "quaternion")[:, 3:7]
    assert (quaternions[:, 3] >= 0).all()
    np.testing.assert_allclose(Rotation.from_quat(quaternions).as_matrix(), matrices, atol=1e-9)
    first, second = np.split(in_form(recorded, "rot6d")[:, 3:9], 2, axis=1)
    np.testing.assert_allclose(np.stack([first, second, np.cross(first, second)], axis=2), matrices, atol=1e-9)


@pytest.mark.parametrize("form", ROTATION_SIZES)
def test_one_state_has_no_action(form: str) -> None:
    assert in_form(differences(np.zeros((1, 7))), form).shape == (0, 4 + ROTATION_SIZES[form])


@given(arrays(np.float64, (4, 7), elements=st.floats(0, 1)))
def test_gripper_handling(recorded: np.ndarray) -> None:
    assert np.array_equal(gripper_values(recorded, "continuous"), recorded)
    assert np.array_equal(gripper_values(recorded, "binary")[:, -1], (recorded[:, -1] >= 0.5).astype(float))
    np.testing.assert_allclose(gripper_values(recorded, "continuous", inverted=True)[:, -1], 1 - recorded[:, -1])


def test_projection_of_known_points() -> None:
    """A camera at the origin, which looks along z: its axis is in the middle, 45 degrees are half a width off."""
    points = np.array([[0, 0, 2.0], [1, 0, 1.0], [0, -0.5, 1.0], [0, 0, -1.0]])
    pixels = project(points, np.zeros((4, 6)), 0.5, 200, 100)
    np.testing.assert_allclose(pixels[:3], [[100, 50], [200, 50], [100, 0]])
    assert np.isnan(pixels[3]).all()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: differences(np.zeros((3, 6))), r"states must be \[T, 7\] \(got \[3, 6\]\)"),
    (lambda: compose(np.zeros((3, 7)), np.zeros((2, 7))), r"equally many \(got 3 and 2\)"),
    (lambda: in_camera_frame(np.zeros((3, 7)), np.zeros((2, 6))), r"extrinsics \[T, 6\] \(got \[3, 7\], \[2, 6\]\)"),
    (lambda: in_form(np.zeros((1, 7)), "euler"), "rotation must be one of euler_xyz"),
    (lambda: gripper_values(np.zeros((1, 7)), "none"), "gripper must be continuous or binary"),
])  # fmt: skip
def test_wrong_shapes_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
