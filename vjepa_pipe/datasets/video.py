"""VideoDataset: a key to a sample."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from vjepa_pipe.config.data import REPEATED_WINDOWS
from vjepa_pipe.config.errors import SampleError, counted
from vjepa_pipe.datasets.bad import BadInIndex
from vjepa_pipe.datasets.keyed import KeyedDataset, Transform
from vjepa_pipe.datasets.limits import check_file, check_size
from vjepa_pipe.datasets.planned import PlannedClip, PlannedClips
from vjepa_pipe.datasets.stats import SampleStats, Stopwatch
from vjepa_pipe.datasets.still import read_still
from vjepa_pipe.figures import Figures, clip_figures, mean_of
from vjepa_pipe.files.glob import ALL
from vjepa_pipe.sampling import SampleKey, generator
from vjepa_pipe.sources import Rows, read_all, read_indexes, read_rows
from vjepa_pipe.sources.media import is_image
from vjepa_pipe.storage import Storage, is_remote, shown_path
from vjepa_pipe.video import (
    ClipError,
    ClipSampler,
    Decoder,
    PyavDecoder,
    VideoError,
    VideoReader,
    as_video_error,
    times_of,
)

STILL_FPS = 1.0
RATE_TOLERANCE = 0.99


class Clip(NamedTuple):
    """Decoded frames of one row, before any transform.

    Of clips from one opening the first has the cost of all.

    Attributes:
        path: The file.
        frames: uint8 RGB `[num_clips * T, H, W, 3]`.
        indices: For each clip, the frame numbers `[T]` in presentation order.
        fps: Average frames per second of the file.
        num_frames: Frames in the file.
        frames_decoded: Frames decoded to get these; None where the decoder does not tell.
        open_sec: Time it took to open the file.
        decode_sec: Time it took to seek and decode.
    """

    path: str
    frames: npt.NDArray[np.uint8]
    indices: list[npt.NDArray[np.int64]]
    fps: float
    num_frames: int
    frames_decoded: int | None
    open_sec: float
    decode_sec: float


class VideoDataset(KeyedDataset):
    """Clips of the videos (and images) that annotation files list.

    `dataset[i]` takes a row number, or a `SampleKey` from a sampler. The sample is a pure function of
    the key: clip window and augmentation are drawn from generators made from it, so it does not matter
    in which process, or how often, it is read.

    A sample is a dict:

    - `video`: float32 `[C, T, H, W]` after the transform (uint8 without one); with several clips or
      views per video, `[N, C, T, H, W]`, the views of the first clip first;
    - `label`: int, or str for text labels;
    - `clip_indices`: int64 `[T]`, frame numbers in presentation order; `[num_clips, T]` with several clips;
    - `source`: the source's name, `row`: the row in it;
    - `key`: the `SampleKey` that gave it;
    - `replaced`: the `BadSample`s that stood in its place, normally empty;
    - `stats`: `SampleStats`, what reading it cost. Batches do not hold it: the loader adds it up.

    Args:
        data_paths: Annotation file or folder of each source (see `vjepa_pipe.sources.read_rows`), or its rows.
        clip_mode: `fps` (uses `target_fps`), `duration` (`clip_duration_sec`) or `frame_step` (`frame_step`).
        frames_per_clip: T.
        target_fps: Frames per second of the clip.
        transform: Called with uint8 `[T, H, W, 3]` and `rng=` if it has such a parameter; any other
            callable, such as a torchvision v2 transform, gets uint8 `[T, 3, H, W]`.
        clip_duration_sec: Seconds that a clip spans; 3.2 when unset.
        frame_step: Frames of the video from one clip frame to the next; 4 when unset.
        frames_per_clip_by_source: T of each source, where they differ.
        num_clips: Clips per video.
        random_clip_sampling: Draw where clips start.
        allow_clip_overlap: Let clips of a short video overlap.
        repeated_window: Where `repeats` keys of a run are of one row, each has its `own` window, or all the `same`.
        short_videos: `repeat_last`, `circulant` or `drop`.
        max_file_bytes: Larger files count as bad.
        max_duration_sec: Longer videos count as bad.
        index_dir: Folder of indexes that `task=index` left, one for each source. Files that are bad there, or too long
            or short, are not opened; a file that has changed since it was probed is read as without an index, an object
            at a URL that has is bad.
        convention: `strict` or `reference` clip windows (see `vjepa_pipe.video.ClipSampler`).
        source_names: Name of each source; unset: the annotation file's.
        glob: Which files of a folder are read; see `vjepa_pipe.sources.lists.folder.read_folder`.
        labels: Labels of the files in a folder: `folders` (classes) or `none`.
        decoder: Opens the videos; unset: `PyavDecoder(storage=storage)`.
        storage: Reads what lies at URLs; unset: with the default settings.
        seed: Seed of the keys made for plain row numbers.
        on_bad_sample: `replace` a sample that cannot be read by another row of the same source, `raise` its
            error, or raise `SampleSkipped`, on which a loader leaves it out (`skip`).
        max_replacements: Rows tried in place of a bad one.

    Raises:
        SourceError: If an annotation file or an index cannot be read.
        ConfigError: If several cannot, naming all; if a source has no index in `index_dir`, or one that lacks rows.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        data_paths: str | Path | Sequence[str | Path | Rows],
        clip_mode: str = "fps",
        frames_per_clip: int = 16,
        target_fps: float = 10,
        transform: Transform | None = None,
        *,
        clip_duration_sec: float | None = None,
        frame_step: int | None = None,
        frames_per_clip_by_source: Sequence[int] | None = None,
        num_clips: int = 1,
        random_clip_sampling: bool = True,
        allow_clip_overlap: bool = False,
        repeated_window: str = "own",
        short_videos: str = "repeat_last",
        max_file_bytes: int | None = None,
        max_duration_sec: float | None = None,
        index_dir: str | Path | None = None,
        convention: str = "strict",
        source_names: Sequence[str] | None = None,
        glob: str = ALL,
        labels: str = "folders",
        decoder: Decoder | None = None,
        storage: Storage | None = None,
        seed: int = 0,
        on_bad_sample: str = "replace",
        max_replacements: int = 10,
    ) -> None:
        if repeated_window not in REPEATED_WINDOWS:
            known = ", ".join(REPEATED_WINDOWS)
            raise ValueError(f"repeated_window must be one of {known} (got {repeated_window!r})")
        paths = [data_paths] if isinstance(data_paths, (str, Path)) else list(data_paths)
        names = source_names if source_names is not None else [None] * len(paths)
        lengths = frames_per_clip_by_source if frames_per_clip_by_source is not None else [frames_per_clip] * len(paths)
        for argument, values in (("source_names", names), ("frames_per_clip_by_source", lengths)):
            if len(values) != len(paths):
                raise ValueError(
                    f"{argument} must have {counted(len(paths), 'value')}, one for each source (got {len(values)})"
                )
        self.storage = storage or Storage()
        self.sources: list[Rows] = read_all(
            partial(_rows_of, path, name, None, glob, labels, self.storage)
            for path, name in zip(paths, names, strict=True)
        )
        self.indexes = None if index_dir is None else read_indexes(index_dir, self.sources, paths, self.storage)
        super().__init__(self.sources, transform, seed, on_bad_sample, max_replacements)
        self.lists = ["" if isinstance(path, Rows) else shown_path(str(path)) for path in paths]
        self.clip_samplers = [
            ClipSampler(
                clip_mode=clip_mode,
                frames_per_clip=length,
                target_fps=target_fps,
                clip_duration_sec=3.2 if clip_duration_sec is None else clip_duration_sec,
                frame_step=4 if frame_step is None else frame_step,
                num_clips=num_clips,
                random_clip_sampling=random_clip_sampling,
                allow_clip_overlap=allow_clip_overlap,
                short_videos=short_videos,
                convention=convention,
            )
            for length in lengths
        ]
        self.max_file_bytes = max_file_bytes
        self.max_duration_sec = max_duration_sec
        self.decoder: Decoder = decoder if decoder is not None else PyavDecoder(storage=self.storage)
        self.repeated_window = repeated_window
        self._ahead: dict[SampleKey, Clip] = {}
        self._planned: PlannedClips | None = None

    def read(self, key: SampleKey) -> Clip:
        """The decoded frames of a key, before any transform.

        Raises:
            VideoError: If the file cannot be read, or is larger or longer than allowed.
            ClipError: If no clip fits into it.
        """
        ahead = self._ahead.pop(key, None)
        return self._read_row([key])[0] if ahead is None else ahead

    def frame_times(self, key: SampleKey) -> npt.NDArray[np.float64]:
        """When each frame of a key's video is shown, in seconds from its first; float64 [frames].

        It opens the file, and decodes nothing; errors as for `read`.
        """
        located = self.sources[key.source].path(key.row)
        if is_image(shown_path(located)):
            return np.zeros(1)
        facts = None if is_remote(located) else check_file(located, self.max_file_bytes)
        with self._open(key, located, facts) as video:
            return times_of(video.frame_times, video.fps).starts

    def read_ahead(self, keys: Sequence[SampleKey]) -> None:
        """See `KeyedDataset.read_ahead`; the frames are kept until `read` is asked for them. Errors as for `read`."""
        self._ahead = dict(zip(keys, self._read_row(keys), strict=True))

    @cached_property
    def plans(self) -> bool:
        """Whether clips are asked for ahead: those of an index, at URLs."""
        return (
            self.storage.config.read_ahead_mb > 0
            and self.indexes is not None
            and isinstance(self.decoder, PyavDecoder)
            and any(rows.has_urls for rows in self.sources)
        )

    def plan(self, keys: Sequence[SampleKey]) -> None:
        """See `KeyedDataset.plan`."""
        if self._planned is None:
            config = self.storage.config
            self._planned = PlannedClips(self._planned_clip, config.read_ahead_mb * 10**6, config.timeout_sec / 4)
        self._planned.expect([list(together) for _, together in groupby(keys, self.first_of)])

    def _planned_clip(self, keys: Sequence[SampleKey]) -> PlannedClip | None:
        """What reading keys of one row will ask for; of the row that stands in for it, if it is known to be bad."""
        for row in self._candidates(keys[0]):
            try:
                self.check_known(keys[0].source, row)
                return self._clip_of([key._replace(row=row) for key in keys])
            except SampleError:
                if self.on_bad_sample != "replace":
                    break
        return None

    def _clip_of(self, keys: Sequence[SampleKey]) -> PlannedClip | None:
        key = keys[0]
        located = self.sources[key.source].path(key.row)
        assert self.indexes is not None and isinstance(self.decoder, PyavDecoder)
        index, path = self.indexes[key.source], shown_path(located)
        length = index.length(key.row, None) if is_remote(located) and not is_image(path) else None
        video = None if length is None else self.decoder.open_unread(located, index.packets(key.row, None))
        if length is None or video is None:
            return None
        check_size(path, video.size, self.max_file_bytes)
        drawn = self._draw(keys, path, *length)
        return PlannedClip(key, video, video.plan(np.concatenate([part for indices in drawn for part in indices])))

    def _read_row(self, keys: Sequence[SampleKey]) -> list[Clip]:
        """The frames of keys of one row, each decoded once, from one opening of its file."""
        key, laps = keys[0], Stopwatch()
        located, sampler = self.sources[key.source].path(key.row), self.clip_samplers[key.source]
        path = shown_path(located)
        facts = None if is_remote(located) else check_file(located, self.max_file_bytes)
        if is_image(path):
            still = self._still(located, path, sampler.frames_per_clip * sampler.num_clips)
            same = [np.zeros(sampler.frames_per_clip, dtype=np.int64)] * sampler.num_clips
            return _first_costs([Clip(path, still, same, STILL_FPS, 1, 1, 0.0, laps())] * len(keys))
        length = None if self.indexes is None else self.indexes[key.source].length(key.row, facts)
        drawn = [] if length is None else self._draw(keys, path, *length)
        with self._open(key, located, facts) as video:
            check_size(path, getattr(video, "size", None), self.max_file_bytes)
            found = video.num_frames, video.fps
            if length != found:
                drawn = self._draw(keys, path, *found)
            opened = laps()
            frames = video.read(np.concatenate([part for indices in drawn for part in indices]))
            decoded = getattr(video, "frames_decoded", None)
            whole = Clip(path, frames, [], video.fps, video.num_frames, decoded, opened, laps())
        parts = zip(np.split(frames, len(keys)), drawn, strict=True)
        return _first_costs([whole._replace(frames=part, indices=indices) for part, indices in parts])

    def check_known(self, source: int, row: int) -> None:
        """See `KeyedDataset.check_known`; images are not asked of the index, since it did not read them as images."""
        super().check_known(source, row)
        if self.indexes is None:
            return
        path = self.sources[source].path(row)
        if self.indexes[source].is_bad(row, path) and not is_image(path):
            raise BadInIndex(f"{path}: bad in {self.indexes[source].file}")

    def decoder_of(self, path: str) -> str:
        """See `KeyedDataset.decoder_of`."""
        return "pillow" if is_image(path) else self.decoder.name

    def sample(self, key: SampleKey) -> dict[str, Any]:
        """The sample of a key, without `key` and `replaced`; see `KeyedDataset.sample`."""
        rows, clip = self.sources[key.source], self.read(key)
        frames, laps = np.split(clip.frames, len(clip.indices)), Stopwatch()
        views, drawn = zip(*(self._transformed(part, key, i) for i, part in enumerate(frames)), strict=True)
        spent, used = laps(), len(np.unique(np.concatenate(clip.indices)))
        indices = [torch.from_numpy(np.asarray(part, dtype=np.int64)) for part in clip.indices]
        figures = self._chosen(clip, self.clip_samplers[key.source]) | mean_of(drawn)
        return {
            "video": _stack_views(views),
            "label": rows.label(key.row),
            "clip_indices": indices[0] if len(indices) == 1 else torch.stack(indices),
            "source": rows.name,
            "row": key.row,
            "stats": SampleStats(
                used,
                clip.frames_decoded,
                clip.open_sec,
                clip.decode_sec,
                spent,
                figures,
                self._repeats(key.source, clip),
            ),
        }

    def _repeats(self, source: int, clip: Clip) -> str:
        """Why frames repeat, if the file has fewer frames per second than the clip; 30 of 29.97 are well."""
        asked = self.clip_samplers[source].fps
        if asked is None or clip.fps > RATE_TOLERANCE * asked or is_image(clip.path):
            return ""
        return f"{clip.path} has {clip.fps:g} frames per second, fewer than the {asked:g} of its clip"

    def _still(self, located: str, path: str, frames: int) -> npt.NDArray[np.uint8]:
        if not is_remote(located):
            return read_still(path, frames)
        with as_video_error(path):
            file = self.storage.open(located)
        check_size(path, file.facts.size, self.max_file_bytes)
        return read_still(path, frames, file)

    def _open(self, key: SampleKey, path: str, facts: os.stat_result | None) -> VideoReader:
        planned = None if self._planned is None else self._planned.take(key)
        if planned is not None:
            return planned
        if self.indexes is not None and isinstance(self.decoder, PyavDecoder):
            return self.decoder.open(path, self.indexes[key.source].packets(key.row, facts))
        return self.decoder.open(path)

    @staticmethod
    def _chosen(clip: Clip, sampler: ClipSampler) -> Figures:
        """Figures of which frames were chosen; none of a still image."""
        if is_image(clip.path):
            return {}
        chosen = mean_of([clip_figures(part.tolist(), clip.fps, len(part)) for part in clip.indices])
        return chosen | {"short_clips": float(sampler.too_short(clip.num_frames, clip.fps))}

    def _draw(
        self, keys: Sequence[SampleKey], path: str, num_frames: int, fps: float
    ) -> list[list[npt.NDArray[np.int64]]]:
        """The frame numbers of the clips of each key, in a video of this length and rate."""
        if self.max_duration_sec is not None and num_frames > self.max_duration_sec * fps:
            raise VideoError(path, f"longer than max_duration_sec={self.max_duration_sec}")
        try:
            return [self._clips(key, num_frames, fps) for key in keys]
        except ClipError as error:
            raise type(error)(f"{path}: {error}") from error

    def _clips(self, key: SampleKey, num_frames: int, fps: float) -> list[npt.NDArray[np.int64]]:
        """The frame numbers of the clips of a key, in a video of this length and rate."""
        return self.clip_samplers[key.source].draw(self._window_rng(key), num_frames, fps)

    def _window_rng(self, key: SampleKey) -> np.random.Generator:
        """The generator that the place of a key's clips is drawn from."""
        return generator(key if self.repeated_window == "own" else self.first_of(key), "clip")


def _rows_of(path: str | Path | Rows, *arguments: Any) -> Rows:
    return path if isinstance(path, Rows) else read_rows(path, *arguments)


def _first_costs(clips: list[Clip]) -> list[Clip]:
    """Clips of one opening; the first of them is said to have cost all that it cost."""
    decoded = None if clips[0].frames_decoded is None else 0
    further = (clip._replace(frames_decoded=decoded, open_sec=0.0, decode_sec=0.0) for clip in clips[1:])
    return [clips[0], *further]


def _stack_views(videos: Sequence[torch.Tensor]) -> torch.Tensor:
    """`[C, T, H, W]` for one clip with one view, else `[N, C, T, H, W]`."""
    if len(videos) == 1:
        return videos[0]
    return torch.cat([video if video.ndim == 5 else video.unsqueeze(0) for video in videos])
