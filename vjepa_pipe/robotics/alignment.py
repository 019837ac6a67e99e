"""Which rows of a trajectory make a clip, and which frames of a video show them.

`reference` is the published rule: the rate in the video's header says how far apart frames are, and row i belongs to
frame i. Raw DROID says 60 there for pictures taken 15 times a second, so a clip asked for at 4 frames per second spans
four times as long as it should. `physical` goes by when the rows were recorded.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import SampleError, counted

Rows = NDArray[np.int64]
Times = NDArray[np.float64]

ROUNDING = 1e-9
TIE_SEC = 1e-4
"""Two rows this equally near are as near: clocks are kept in milliseconds, or as float32 seconds."""


class AlignmentError(SampleError, ValueError):
    """No clip can be taken, or rows and frames do not belong together."""


def reference_rows(
    rng: np.random.Generator | None, num_frames: int, video_fps: float, fps: float | None, count: int
) -> Rows:
    """The rows of a clip by the published rule (vjepa2 `app/vjepa_droid/droid.py`, `loadvideo_decord`).

    Every ceil(video_fps / fps)-th row. The published code cannot start a clip at the last place, nor take one from a
    video of just its length; nor does this.

    Args:
        rng: Draws the start; None starts at row 0.
        num_frames: Frames of the video.
        video_fps: What its header says.
        fps: Wanted frames per second; None takes every row.
        count: Rows wanted.

    Returns:
        int64 `[count]`, rising.

    Raises:
        AlignmentError: The video is too short.
    """
    step = math.ceil(video_fps / fps) if fps is not None else 1
    span = count * step
    if num_frames <= span:
        raise AlignmentError(
            f"{counted(count, 'frame')} {step} apart need {counted(span + 1, 'frame')}, the video has {num_frames}"
        )
    start = int(rng.integers(num_frames - span)) if rng is not None else 0
    return np.arange(start, start + span, step, dtype=np.int64)


def physical_rows(rng: np.random.Generator | None, num_rows: int, rate: float, fps: float | None, count: int) -> Rows:
    """The rows of a clip of a trajectory that was recorded at an even rate.

    The row nearest to each moment, the earlier one of two: 15 rows per second at 4 frames per second are rows
    0, 4, 7, 11, 15, ... of the clip. Every place where the clip fits is as likely as any other.

    Args:
        rng: Draws the start; None starts at row 0.
        num_rows: Rows there are.
        rate: Rows per second.
        fps: Wanted frames per second, at most `rate`; None takes every row.
        count: Rows wanted.

    Returns:
        int64 `[count]`, rising.

    Raises:
        AlignmentError: The trajectory is too short, or has fewer rows per second than wanted.
    """
    stride = 1.0 if fps is None else rate / fps
    if stride < 1 - ROUNDING:
        raise AlignmentError(f"{fps:g} frames per second were asked for, there are {rate:g} rows per second")
    offsets: Rows = np.ceil(np.arange(count) * stride - 0.5 - ROUNDING).astype(np.int64)
    room = num_rows - 1 - int(offsets[-1])
    if room < 0:
        raise AlignmentError(f"a clip spans {counted(int(offsets[-1]) + 1, 'row')}, there are {num_rows}")
    return offsets + (int(rng.integers(room + 1)) if rng is not None else 0)


def timed_rows(rng: np.random.Generator | None, times: Times, fps: float | None, count: int, max_gap: float) -> Rows:
    """The rows of a clip of a trajectory of which every row says when it was recorded.

    As `physical_rows`, by the clock instead of the average rate.

    Args:
        rng: Draws the start; None starts at row 0.
        times: When each row was recorded, in seconds, rising; `[N]`.
        fps: Wanted frames per second; None takes every row.
        count: Rows wanted.
        max_gap: The longest pause allowed from one row to the next within the clip, in seconds.

    Returns:
        int64 `[count]`, rising.

    Raises:
        AlignmentError: The clock runs backwards, the trajectory is too short or too slow, or the clip has a gap.
    """
    steps = np.diff(times)
    if not np.isfinite(times).all() or (steps <= 0).any():
        row = int(np.argmax(~(steps > 0))) + 1
        raise AlignmentError(f"row {row} is at {times[row]:.4f} s, not after the row before ({times[row - 1]:.4f} s)")
    moments = np.arange(count) / (1.0 if fps is None else fps)
    if fps is None or not len(times):
        starts = np.arange(len(times) - count + 1)
    else:
        slack = float(np.median(steps)) / 2 if len(steps) else 0.0
        starts = np.flatnonzero(times + moments[-1] <= times[-1] + slack + ROUNDING)
    if not len(starts):
        seconds = times[-1] - times[0] if len(times) else 0.0
        wanted = f"{moments[-1]:.3f} s" if fps is not None else counted(count, "row")
        raise AlignmentError(
            f"a clip spans {wanted}, its episode has {counted(len(times), 'row')} over {seconds:.3f} s"
        )
    start = int(starts[rng.integers(len(starts))]) if rng is not None else 0
    rows = start + np.arange(count) if fps is None else nearest(times, times[start] + moments)
    last = int(rows[-1])
    if fps is not None:  # the last moment may lie in a pause, with the nearest row before it
        last = max(last, min(int(np.searchsorted(times, times[start] + moments[-1] - TIE_SEC)), len(times) - 1))
    pauses = steps[rows[0] : last]
    if pauses.size and pauses.max() > max_gap:
        row = int(rows[0] + pauses.argmax())
        raise AlignmentError(
            f"{pauses.max():.3f} s pass from row {row} to the next, more than robotics.max_gap_sec={max_gap:g}"
        )
    if (np.diff(rows) < 1).any():
        raise AlignmentError(f"{fps:g} frames per second were asked for, the rows are {np.median(steps):.4f} s apart")
    return rows


def frames_at(frame_times: Times, rows: Rows, row_times: Times, tolerance: float) -> Rows:
    """The frames that show some rows.

    Args:
        frame_times: When each frame of the video was recorded, in seconds, rising; `[F]`.
        rows: Row numbers, for messages; `[T]`.
        row_times: When each of these rows was recorded, on the same clock; `[T]`.
        tolerance: The most that a frame may be off, in seconds.

    Returns:
        int64 `[T]`, frame numbers.

    Raises:
        AlignmentError: Naming the row, the frame and how far it is off.
    """
    if not len(frame_times):
        raise AlignmentError("the video has no frames")
    frames = nearest(frame_times, row_times)
    off = np.abs(frame_times[frames] - row_times)
    if not (off <= tolerance).all():
        at = int(np.argmax(~(off <= tolerance)))
        raise AlignmentError(
            f"row {rows[at]} is at {row_times[at]:.4f} s, the nearest frame {frames[at]} is {off[at]:.4f} s away, "
            f"more than robotics.time_tolerance_sec={tolerance:g}"
        )
    return frames


def nearest(times: Times, wanted: Times) -> Rows:
    """Where `times`, rising, is nearest to each wanted time; the earlier of two."""
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(times[after] - wanted < wanted - times[before] - TIE_SEC, after, before).astype(np.int64)
