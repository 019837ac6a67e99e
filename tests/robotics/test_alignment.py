"""Rows and frames by number and by clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe.robotics import AlignmentError, frames_at, physical_rows, reference_rows, timed_rows
from vjepa_pipe.robotics.alignment import nearest


def test_published_rule_spans_four_times_too_long_with_a_60_fps_header() -> None:
    """A capture at 15 Hz whose header says 60: every 15th row, one second apart, where 4 per second were asked for."""
    assert reference_rows(None, 200, 60.0, 4, 8).tolist() == [0, 15, 30, 45, 60, 75, 90, 105]
    assert physical_rows(None, 200, 15, 4, 8).tolist() == [0, 4, 7, 11, 15, 19, 22, 26]


def test_published_rule_never_takes_the_last_place() -> None:
    """numpy's randint(nframes, vlen) draws ends from nframes to vlen - 1: 122 frames give starts 0 and 1 for a span
    of 120, 121 frames only 0, and 120 frames fail."""
    starts = {int(reference_rows(np.random.default_rng(seed), 122, 60, 4, 8)[0]) for seed in range(50)}
    assert starts == {0, 1}
    assert int(reference_rows(np.random.default_rng(0), 121, 60, 4, 8)[0]) == 0
    with pytest.raises(AlignmentError, match="8 frames 15 apart need 121 frames, the video has 120"):
        reference_rows(None, 120, 60, 4, 8)


def test_physical_rule_reaches_the_first_and_last_place() -> None:
    starts = {int(physical_rows(np.random.default_rng(seed), 29, 15, 4, 8)[0]) for seed in range(50)}
    assert starts == {0, 1, 2}
    assert physical_rows(None, 27, 15, 4, 8)[-1] == 26
    with pytest.raises(AlignmentError, match="a clip spans 27 rows, there are 26"):
        physical_rows(None, 26, 15, 4, 8)


@given(
    rate=st.floats(5, 60),
    share=st.floats(0.05, 1),
    count=st.integers(1, 20),
    spare=st.integers(0, 30),
    seed=st.integers(0, 99),
)
def test_rows_of_an_even_clock_are_those_of_its_rate(
    rate: float, share: float, count: int, spare: int, seed: int
) -> None:
    fps = rate * share
    span = int(physical_rows(None, 10**6, rate, fps, count)[-1]) + 1
    by_rate = physical_rows(np.random.default_rng(seed), span + spare, rate, fps, count)
    times = np.arange(span + spare) / rate
    by_time = timed_rows(np.random.default_rng(seed), times, fps, count, max_gap=1)
    for rows in (by_rate, by_time):
        assert (np.diff(rows) > 0).all() and rows[0] >= 0 and rows[-1] < span + spare
        off = times[rows] - times[rows[0]] - np.arange(count) / fps
        assert np.abs(off).max() <= 0.5 / rate + 1e-3
    assert np.abs(by_rate - by_time).max() <= 1


def test_float32_clock_does_not_change_the_rows() -> None:
    times = (np.arange(120) / 15).astype(np.float32).astype(np.float64)
    rows = [timed_rows(np.random.default_rng(seed), times, 4, 8, 0.25) for seed in range(80)]
    assert {tuple(np.diff(row)) for row in rows} == {(4, 3, 4, 4, 4, 3, 4)}


def test_every_row_without_a_rate() -> None:
    times = np.arange(10) / 15
    assert np.diff(timed_rows(np.random.default_rng(1), times, None, 8, 0.25)).tolist() == [1] * 7
    assert np.diff(physical_rows(np.random.default_rng(1), 10, 15, None, 8)).tolist() == [1] * 7
    assert np.diff(reference_rows(np.random.default_rng(1), 10, 60, None, 8)).tolist() == [1] * 7


@pytest.mark.parametrize(("times", "fps", "message"), [
    ([0, 1, 2, 2, 3], 1, r"row 3 is at 2\.0000 s, not after the row before \(2\.0000 s\)"),
    ([0, 1, np.nan, 3], 1, "row 2 is at nan s"),
    ([0, 1], 1, r"a clip spans 3\.000 s, its episode has 2 rows over 1\.000 s"),
    ([], 1, "its episode has 0 rows"),
    ([0, 1, 2, 3, 4], 3, r"3 frames per second were asked for, the rows are 1\.0000 s apart"),
    ([0, 1, 2, 5, 6, 7], 1, r"3\.000 s pass from row 2 to the next, more than robotics.max_gap_sec=1.5"),
])  # fmt: skip
def test_clocks_that_give_no_clip(times: list[float], fps: float, message: str) -> None:
    with pytest.raises(AlignmentError, match=message):
        timed_rows(None, np.array(times, np.float64), fps, 4, 1.5)


def test_faster_than_the_rows_is_refused() -> None:
    with pytest.raises(AlignmentError, match="30 frames per second were asked for, there are 15 rows per second"):
        physical_rows(None, 100, 15, 30, 8)


def test_frames_of_a_video_that_starts_later_and_runs_slower() -> None:
    frames = 0.2 + np.arange(20) * 0.1
    found = frames_at(frames, np.array([5, 6]), np.array([0.51, 1.19]), 0.02)
    assert found.tolist() == [3, 10]
    with pytest.raises(AlignmentError, match=r"row 6 is at 1\.1500 s, the nearest frame 9 is 0\.0500 s away"):
        frames_at(frames, np.array([5, 6]), np.array([0.51, 1.15]), 0.02)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20, unique=True), st.floats(-2e3, 2e3))
def test_nearest_is_nearest(times: list[float], wanted: float) -> None:
    clock = np.sort(times)
    (found,) = nearest(clock, np.array([wanted]))
    assert abs(clock[found] - wanted) <= np.abs(clock - wanted).min() + 1.01e-4
