"""RobotDataset: a key to a clip with the robot's states and actions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.robot_data import RobotDataConfig, with_droid_names
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.config.state_forms import STATE_FORMS
from vjepa_pipe.datasets.keyed import KeyedDataset, Transform
from vjepa_pipe.datasets.limits import check_file, check_size
from vjepa_pipe.datasets.robot_frames import OpenTrack, RobotFrames
from vjepa_pipe.datasets.robot_sources import described, open_sources
from vjepa_pipe.datasets.robot_statistics import load_statistics
from vjepa_pipe.datasets.stats import SampleStats, Stopwatch
from vjepa_pipe.datasets.stored_images import StoredImages
from vjepa_pipe.figures import clip_figures, mean_of
from vjepa_pipe.robotics.encoding import encode
from vjepa_pipe.sampling import SampleKey, generator
from vjepa_pipe.sources import EYES, CameraTrack, Episode, EpisodeError, RobotSource, pose_column
from vjepa_pipe.storage import Storage, is_remote, shown_path
from vjepa_pipe.transforms import Box
from vjepa_pipe.video import Decoder, PyavDecoder, as_video_error

Array = NDArray[np.float64]
POSE = 6


class View(NamedTuple):
    """What one camera, or one eye of it, shows."""

    track: CameraTrack
    eye: str

    @property
    def name(self) -> str:
        """Names the view in a sample."""
        return self.track.name if self.eye == EYES[0] else f"{self.track.name}/{self.eye}"


class RobotClip(NamedTuple):
    """One clip as recorded, before augmentation and before states are written as the config asks.

    Attributes:
        path: The episode.
        task: What the robot was told to do.
        views: What each view shows.
        rows: Rows of the episode; int64 `[T]`.
        indices: For each view, frame numbers in its video; int64 `[V, T]`.
        frames: For each view, uint8 RGB `[T, H, W, 3]`; empty when only the numbers were read.
        states: Of every `frameskip`-th row; float64 `[S, D]`, with D = 0 when states are not asked for.
        recorded: The dataset's own actions; float64 `[S - 1, K]`, or None when they are not asked for.
        extrinsics: For each view, the camera's pose; float64 `[V, S, 6]`, or None when the data has none.
        fps: What the first video's header says.
        row_fps: Rows of the episode per second.
        frames_decoded: Frames decoded to get these; None where the decoder does not tell.
        open_sec: Time it took to open the episode and its videos, and to read the numbers.
        decode_sec: Time it took to seek and decode.
    """

    path: str
    task: str
    views: list[View]
    rows: NDArray[np.int64]
    indices: NDArray[np.int64]
    frames: list[NDArray[np.uint8]]
    states: Array
    recorded: Array | None
    extrinsics: Array | None
    fps: float
    row_fps: float
    frames_decoded: int | None
    open_sec: float
    decode_sec: float


class RobotDataset(KeyedDataset):
    """Clips of robot episodes with states and actions that line up with the frames.

    A sample is a dict; with several views V per sample, the entries marked * have V in front:

    - `video`*: float32 `[C, T, H, W]` after the transform (uint8 without one);
    - `states`*: float64 `[S, D]` and `actions`*: `[S - 1, A]`, S = T for a frameskip of 1, D = A = 7 for a pose and a
      gripper (see `vjepa_pipe.robotics.encoding`); with V in front only in the cameras' frames;
    - `extrinsics`*: float64 `[S, 6]`, where the data has them;
    - `indices`: int64 `[T]`, rows of the episode;
    - `clip_indices`*: int64 `[T]`, frame numbers in the video file;
    - `label`: str, what the robot was told to do; `camera`: names of the views;
    - `source`, `row`, `key`, `replaced`: as in `VideoDataset`.

    Without `robotics.enabled` there are no states, actions and extrinsics.

    Args:
        config: Which data. Names that are left empty are those of the data.
        robotics: Which states and actions.
        data_paths: Path of each source; unset: those of `config`.
        source_names: Name of each source; unset: the path's.
        transform: As for `VideoDataset`.
        decoder: Opens the videos; unset: `PyavDecoder(storage=storage)`.
        storage: Reads what lies at URLs; unset: with the default settings.
        seed: Seed of the keys made for plain row numbers.
        on_bad_sample: `replace` an episode that cannot be read by another of the same source, or `raise`.
        max_replacements: Episodes tried in place of a bad one.
        random_clip_sampling: Draw where clips start; unset: as `config` says.

    Raises:
        SourceError: If a source cannot be read.
        ConfigError: If sources lack cameras or columns, or have states of which nobody knows what they are or that do
            not have what is asked of them, all at once; if statistics are asked for that were never computed.

    Attributes:
        config: Which data, with the names of raw DROID if that is the layout.
        names: The same for each source, with all its names.
        robotics: Which states and actions, with the form of the states.
        description: Lines that say what is read of each source, and what of that was not configured.
    """

    def __init__(
        self,
        config: RobotDataConfig,
        robotics: RoboticsConfig | None = None,
        *,
        data_paths: Sequence[str] | None = None,
        source_names: Sequence[str] | None = None,
        transform: Transform | None = None,
        decoder: Decoder | None = None,
        storage: Storage | None = None,
        seed: int = 0,
        on_bad_sample: str = "replace",
        max_replacements: int = 10,
        random_clip_sampling: bool | None = None,
    ) -> None:
        self.config = with_droid_names(config)
        asked = robotics if robotics is not None else RoboticsConfig()
        paths = list(config.data_paths if data_paths is None else data_paths)
        given = source_names or config.source_names
        names: Sequence[str | None] = given if given is not None else [None] * len(paths)
        self.storage = storage or Storage()
        opened = open_sources(config, asked, paths, names, self.storage)
        self.sources: list[RobotSource] = [source.rows for source in opened]
        self.names = [source.data for source in opened]
        self.description = [line for source in opened for line in described(source, config, asked)]
        self.robotics = replace(asked, state_form=opened[0].form) if opened and asked.enabled else asked
        super().__init__(self.sources, transform, seed, on_bad_sample, max_replacements)
        self.lists = [shown_path(path) for path in paths]
        self.decoder: Decoder = decoder if decoder is not None else PyavDecoder(storage=self.storage)
        self.lengths = config.frames_per_clip_by_source or [config.frames_per_clip] * len(paths)
        self.frames = RobotFrames(
            self.robotics,
            fps=self.robotics.fps if self.robotics.enabled else config.target_fps,
            row_fps=config.row_fps,
            random_start=config.random_clip_sampling if random_clip_sampling is None else random_clip_sampling,
        )
        self.statistics = (
            load_statistics(self.config, self.robotics, paths) if self.robotics.normalization != "none" else None
        )

    def read(self, key: SampleKey, decode: bool = True) -> RobotClip:
        """The clip of a key as recorded.

        Args:
            key: Which sample.
            decode: False reads the numbers only; videos are opened, as they say how many frames there are.

        Raises:
            SampleError: If the episode cannot be read, or no clip fits into it.
        """
        laps = Stopwatch()
        with self.sources[key.source].open(key.row) as episode, ExitStack() as opened:
            names = self.names[key.source]
            tracks = self._tracks(episode, names.cameras, generator(key, "camera"))
            for track in tracks:
                self._check_file(track.path)
            videos = [
                opened.enter_context(StoredImages(episode, track) if track.images else self.decoder.open(track.path))
                for track in tracks
            ]
            both = [OpenTrack(*pair) for pair in zip(tracks, videos, strict=True)]
            rows, indices = self.frames.choose(generator(key, "clip"), episode, both, self.lengths[key.source])
            eyes = EYES if self.robotics.stereo else EYES[:1]
            views = [View(track, eye) for track in tracks for eye in eyes]
            kept = rows[:: self.robotics.frameskip]
            states, recorded, extrinsics = self._numbers(episode, names, views, kept)
            open_sec = laps()
            frames = self._decode(tracks, videos, indices) if decode else []
            decoded: list[Any] = [getattr(video, "frames_decoded", None) for video in videos]
            return RobotClip(
                path=episode.path,
                task=episode.task,
                views=views,
                rows=rows,
                indices=np.repeat(np.stack(indices), len(eyes), axis=0),
                frames=frames,
                states=states,
                recorded=recorded,
                extrinsics=extrinsics,
                fps=videos[0].fps,
                row_fps=episode.row_rate or self.config.row_fps,
                frames_decoded=None if None in decoded else sum(decoded),
                open_sec=open_sec,
                decode_sec=laps(),
            )

    def decoder_of(self, path: str) -> str:
        """See `KeyedDataset.decoder_of`."""
        del path
        return self.decoder.name

    def motion(self, clip: RobotClip, normalized: bool = True) -> tuple[Array, Array]:
        """States and actions of a clip as the config asks; `[S, D]` and `[S - 1, A]`, V in front in cameras' frames.

        Args:
            clip: What `read` gave.
            normalized: Put them on the scale that `robotics.normalization` names.
        """
        poses = list(clip.extrinsics) if clip.extrinsics is not None else [None]
        per_view = poses if self.robotics.camera_frame else poses[:1]
        encoded = [encode(clip.states, pose, clip.recorded, self.robotics) for pose in per_view]
        states, actions = (np.stack(part) if len(encoded) > 1 else part[0] for part in zip(*encoded, strict=True))
        if normalized and self.statistics is not None:
            states = self.statistics["states"].normalize(states, self.robotics.normalization)
            actions = self.statistics["actions"].normalize(actions, self.robotics.normalization)
        return states, actions

    @property
    def has_poses(self) -> bool:
        """Whether states begin with a position."""
        return self.robotics.enabled and STATE_FORMS[self.robotics.state_form].rotates

    def crop_box(self, key: SampleKey, clip: RobotClip, view: int) -> Box:
        """Where the transform crops the first frame of a view; the whole frame for transforms that do not say."""
        shape = clip.frames[view].shape
        draw = getattr(self.transform, "draw", None)
        if draw is None:
            return Box(0, 0, shape[1], shape[2])
        box: Box = draw(self.augmentation_rng(key, self._crop_of(view)), shape).crop.start
        return box

    def sample(self, key: SampleKey) -> dict[str, Any]:
        """The sample of a key, without `key` and `replaced`; see `KeyedDataset.sample`."""
        clip, laps = self.read(key), Stopwatch()
        views = (self._transformed(part, key, self._crop_of(view)) for view, part in enumerate(clip.frames))
        videos, drawn = zip(*views, strict=True)
        used = sum(len(np.unique(numbers)) for numbers in clip.indices)
        figures = clip_figures(clip.rows.tolist(), clip.row_fps, len(clip.rows)) | mean_of(drawn)
        found: dict[str, Any] = {
            "video": _one_or_stacked(videos),
            "indices": torch.from_numpy(clip.rows),
            "clip_indices": _one_or_stacked(list(torch.from_numpy(clip.indices))),
            "label": clip.task,
            "camera": [view.name for view in clip.views],
            "source": self.sources[key.source].name,
            "row": key.row,
            "stats": SampleStats(used, clip.frames_decoded, clip.open_sec, clip.decode_sec, laps(), figures),
        }
        if self.robotics.enabled:
            found["states"], found["actions"] = (torch.from_numpy(part.copy()) for part in self.motion(clip))
            if clip.extrinsics is not None:
                found["extrinsics"] = _one_or_stacked(list(torch.from_numpy(clip.extrinsics)))
        return found

    def _crop_of(self, view: int) -> int:
        """Views that share a crop draw from one generator."""
        return 0 if self.robotics.shared_crop else view

    def _check_file(self, path: str) -> None:
        """See `check_file`; an object is asked for only where there is a limit."""
        most = self.config.max_file_bytes
        if not is_remote(path):
            check_file(path, most)
        elif most is not None:
            with as_video_error(shown_path(path)):
                check_size(shown_path(path), self.storage.facts(path).size, most)

    def _tracks(self, episode: Episode, names: list[str], rng: np.random.Generator) -> list[CameraTrack]:
        if self.robotics.camera_views == "first":
            names = names[:1]
        elif self.robotics.camera_views == "random":
            names = [names[rng.integers(len(names))]]
        return [episode.camera(name, self.robotics.stereo) for name in names]

    def _decode(self, tracks: list[CameraTrack], videos: list[Any], indices: Any) -> list[NDArray[np.uint8]]:
        """The frames of each view; a stereo video shows the left eye's picture left of the right eye's."""
        frames: list[NDArray[np.uint8]] = []
        for track, video, numbers in zip(tracks, videos, indices, strict=True):
            pictures = video.read(numbers)
            if not self.robotics.stereo:
                frames.append(pictures)
                continue
            if pictures.shape[2] % 2:
                raise EpisodeError(track.path, f"{pictures.shape[2]} pixels wide, which two eyes cannot share")
            frames += np.split(pictures, 2, axis=2)
        return frames

    def _numbers(
        self, episode: Episode, names: RobotDataConfig, views: list[View], rows: NDArray[np.int64]
    ) -> tuple[Array, Array | None, Array | None]:
        """States, recorded actions and cameras' poses of some rows; see `RobotClip`."""
        if not self.robotics.enabled:
            return np.empty((len(rows), 0)), None, None
        own = names.action_keys if self.robotics.action == "dataset" else None
        recorded = None if own is None else episode.read(own, rows[:-1])
        return episode.read(names.state_keys, rows), recorded, _extrinsics(episode, names.extrinsics_key, views, rows)


def _extrinsics(episode: Episode, key: str | None, views: list[View], rows: NDArray[np.int64]) -> Array | None:
    if not key:
        return None
    poses = [episode.read([pose_column(key, view.track.id, view.eye)], rows) for view in views]
    if poses[0].shape[1] != POSE:
        raise ConfigError([f"data.extrinsics_key={key} must hold {POSE} numbers per row (got {poses[0].shape[1]})"])
    return np.stack(poses)


def _one_or_stacked(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(list(parts))
