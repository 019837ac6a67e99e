"""Which rows and frames make a robot clip: the clocks of an episode and of its videos, brought together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.robotics import AlignmentError, frames_at, physical_rows, reference_rows, timed_rows
from vjepa_pipe.sources import CameraTrack, Episode
from vjepa_pipe.video import VideoReader

Numbers = NDArray[np.int64]
Times = NDArray[np.float64]


class OpenTrack(NamedTuple):
    """A camera's video during an episode, opened."""

    track: CameraTrack
    video: VideoReader


class Pairing(Protocol):
    """How rows of an episode are paired with frames of its videos. Rows from `low` to `high - 1` have frames."""

    low: int
    high: int

    def frames(self, rows: Numbers) -> list[Numbers]:
        """For each video, the frames that show these rows."""


@dataclass(frozen=True)
class RobotFrames:
    """Chooses rows of an episode, and the frames that show them.

    Attributes:
        config: How.
        fps: Frames per second of a clip; None takes every row.
        row_fps: Rows per second, where the data does not say.
        random_start: Draw where the clip starts; otherwise at the first row.
    """

    config: RoboticsConfig
    fps: float | None
    row_fps: float
    random_start: bool

    def choose(
        self, rng: np.random.Generator, episode: Episode, tracks: Sequence[OpenTrack], count: int
    ) -> tuple[Numbers, list[Numbers]]:
        """Rows `[count]`, and for each video the frames `[count]` that show them.

        Raises:
            AlignmentError: No clip fits, or rows and frames do not belong together.
            EpisodeError: The episode lacks the times that are asked for.
        """
        draw = rng if self.random_start else None
        kind = ByClock if self.config.alignment == "timestamps" else ByNumber
        try:
            pairing: Pairing = kind(self.config, episode, tracks)
            rows = pairing.low + self._rows(draw, episode, tracks, pairing, count)
            return rows, pairing.frames(rows)
        except AlignmentError as error:
            raise AlignmentError(f"{episode.path}: {error}") from error

    def _rows(
        self,
        rng: np.random.Generator | None,
        episode: Episode,
        tracks: Sequence[OpenTrack],
        pairing: Pairing,
        count: int,
    ) -> Numbers:
        """Rows of a clip, counted from the first row that has a frame."""
        length = pairing.high - pairing.low
        if self.config.temporal_sampling == "reference":
            return reference_rows(rng, length, tracks[0].video.fps, self.fps, count)
        if isinstance(pairing, ByClock):
            clock = pairing.row_clocks[0][pairing.low : pairing.high]
            return timed_rows(rng, clock, self.fps, count, self.config.max_gap_sec)
        return physical_rows(rng, length, episode.row_rate or self.row_fps, self.fps, count)


class ByNumber:
    """Row i is shown by frame i, counted from where the episode begins in the video."""

    def __init__(self, config: RoboticsConfig, episode: Episode, tracks: Sequence[OpenTrack]) -> None:
        self.firsts = [_first_frame(config, *opened) for opened in tracks]
        self.low, self.high = 0, episode.num_rows
        for (track, video), first in zip(tracks, self.firsts, strict=True):
            frames = video.num_frames - first
            self.high = min(self.high, frames)
            if config.temporal_sampling == "physical":  # the published code does not look
                own = min(frames, episode.num_rows) if track.shared else frames
                _check_length(config, track, episode.num_rows, own)

    def frames(self, rows: Numbers) -> list[Numbers]:
        """See `Pairing`."""
        return [first + rows for first in self.firsts]


class ByClock:
    """Rows and frames are paired by when they were recorded."""

    def __init__(self, config: RoboticsConfig, episode: Episode, tracks: Sequence[OpenTrack]) -> None:
        self._tolerance = config.time_tolerance_sec
        self.row_clocks = [episode.row_times(track) for track, _ in tracks]
        self.frame_clocks = [_frame_clock(episode, *opened) for opened in tracks]
        self.low, self.high = 0, episode.num_rows
        for (track, _), rows, frames in zip(tracks, self.row_clocks, self.frame_clocks, strict=True):
            first = int(np.searchsorted(rows, frames[0] - self._tolerance))
            last = int(np.searchsorted(rows, frames[-1] + self._tolerance, side="right"))
            _check_length(config, track, episode.num_rows, last - first)
            self.low, self.high = max(self.low, first), min(self.high, last)

    def frames(self, rows: Numbers) -> list[Numbers]:
        """See `Pairing`.

        Raises:
            AlignmentError: A frame is further off its row than allowed.
        """
        clocks = zip(self.row_clocks, self.frame_clocks, strict=True)
        return [frames_at(frames, rows, times[rows], self._tolerance) for times, frames in clocks]


def _frame_clock(episode: Episode, track: CameraTrack, video: VideoReader) -> Times:
    recorded = episode.frame_times(track)
    if recorded is None:
        return video.frame_times - track.start
    if len(recorded) != video.num_frames:
        raise AlignmentError(
            f"{track.name} has {counted(video.num_frames, 'frame')} and {counted(len(recorded), 'time')} beside "
            "the video"
        )
    return recorded


def _first_frame(config: RoboticsConfig, track: CameraTrack, video: VideoReader) -> int:
    if not track.shared:
        return 0
    start = np.array([track.start])
    return int(frames_at(video.frame_times, np.zeros(1, np.int64), start, config.time_tolerance_sec)[0])


def _check_length(config: RoboticsConfig, track: CameraTrack, rows: int, frames: int) -> None:
    if abs(rows - frames) > config.max_missing_frames:
        raise AlignmentError(
            f"{counted(rows, 'row')}, but {track.name} shows {counted(frames, 'frame')} of them; they may differ by "
            f"robotics.max_missing_frames={config.max_missing_frames}"
        )
