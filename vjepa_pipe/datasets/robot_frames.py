"""Which rows and frames make a robot clip: the clocks of an episode and of its videos, brought together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.robotics import AlignmentError, frames_at, physical_rows, reference_rows, timed_rows
from vjepa_pipe.sources import CameraTrack, Episode
from vjepa_pipe.video import VideoReader

Numbers = NDArray[np.int64]


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
        self,
        rng: np.random.Generator,
        episode: Episode,
        tracks: Sequence[CameraTrack],
        videos: Sequence[VideoReader],
        count: int,
    ) -> tuple[Numbers, list[Numbers]]:
        """Rows `[count]`, and for each video the frames `[count]` that show them.

        Raises:
            AlignmentError: No clip fits, or rows and frames do not belong together.
            EpisodeError: The episode lacks the times that are asked for.
        """
        draw = rng if self.random_start else None
        try:
            if self.config.temporal_sampling == "physical" and self.config.alignment == "timestamps":
                return self._by_time(draw, episode, tracks, videos, count)
            return self._by_number(draw, episode, tracks, videos, count)
        except AlignmentError as error:
            raise AlignmentError(f"{episode.path}: {error}") from error

    def _by_number(
        self,
        rng: np.random.Generator | None,
        episode: Episode,
        tracks: Sequence[CameraTrack],
        videos: Sequence[VideoReader],
        count: int,
    ) -> tuple[Numbers, list[Numbers]]:
        """Row i is shown by frame i, counted from where the episode begins in the video."""
        firsts = [self._first_frame(*pair) for pair in zip(tracks, videos, strict=True)]
        frames = [video.num_frames - first for video, first in zip(videos, firsts, strict=True)]
        usable = min(episode.num_rows, *frames)
        if self.config.temporal_sampling == "reference":
            rows = reference_rows(rng, usable, videos[0].fps, self.fps, count)
        else:
            for track, have in zip(tracks, frames, strict=True):
                self._check_length(track, episode.num_rows, min(have, episode.num_rows) if track.shared else have)
            rows = physical_rows(rng, usable, episode.row_rate or self.row_fps, self.fps, count)
        return rows, [first + rows for first in firsts]

    def _by_time(
        self,
        rng: np.random.Generator | None,
        episode: Episode,
        tracks: Sequence[CameraTrack],
        videos: Sequence[VideoReader],
        count: int,
    ) -> tuple[Numbers, list[Numbers]]:
        """Rows and frames are paired by when they were recorded."""
        tolerance = self.config.time_tolerance_sec
        row_clocks = [episode.row_times(track) for track in tracks]
        frame_clocks = [self._frame_clock(episode, *pair) for pair in zip(tracks, videos, strict=True)]
        low, high = 0, episode.num_rows
        for track, rows, frames in zip(tracks, row_clocks, frame_clocks, strict=True):
            first = int(np.searchsorted(rows, frames[0] - tolerance))
            last = int(np.searchsorted(rows, frames[-1] + tolerance, side="right"))
            self._check_length(track, episode.num_rows, last - first)
            low, high = max(low, first), min(high, last)
        chosen = low + timed_rows(rng, row_clocks[0][low:high], self.fps, count, self.config.max_gap_sec)
        return chosen, [
            frames_at(frames, chosen, rows[chosen], tolerance)
            for rows, frames in zip(row_clocks, frame_clocks, strict=True)
        ]

    def _frame_clock(self, episode: Episode, track: CameraTrack, video: VideoReader) -> NDArray[np.float64]:
        recorded = episode.frame_times(track)
        if recorded is None:
            return video.frame_times - track.start
        if len(recorded) != video.num_frames:
            raise AlignmentError(
                f"{track.name} has {video.num_frames} frames and {len(recorded)} times beside the video"
            )
        return recorded

    def _first_frame(self, track: CameraTrack, video: VideoReader) -> int:
        if not track.shared:
            return 0
        start = np.array([track.start])
        return int(frames_at(video.frame_times, np.zeros(1, np.int64), start, self.config.time_tolerance_sec)[0])

    def _check_length(self, track: CameraTrack, rows: int, frames: int) -> None:
        if abs(rows - frames) > self.config.max_missing_frames:
            raise AlignmentError(
                f"{rows} rows, but {track.name} shows {frames} frames of them; they may differ by "
                f"robotics.max_missing_frames={self.config.max_missing_frames}"
            )
