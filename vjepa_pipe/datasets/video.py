"""VideoDataset: a key to a sample."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.datasets.still import is_image, read_still
from vjepa_pipe.sampling import ConcatIndices, SampleKey, generator
from vjepa_pipe.sources import Rows, read_rows
from vjepa_pipe.video import ClipError, ClipSampler, Decoder, PyavDecoder, VideoError

STILL_FPS = 1.0


class BadSample(NamedTuple):
    """A row that could not be read, and why."""

    source: str
    row: int
    path: str
    reason: str


class TooManyBadSamples(UserError):
    """No readable sample was found in a source within the tries allowed."""


class Clip(NamedTuple):
    """Decoded frames of one row, before any transform.

    Attributes:
        path: The file.
        frames: uint8 RGB `[num_clips * T, H, W, 3]`.
        indices: For each clip, the frame numbers `[T]` in presentation order.
        fps: Average frames per second of the file.
        num_frames: Frames in the file.
    """

    path: str
    frames: npt.NDArray[np.uint8]
    indices: list[npt.NDArray[np.int64]]
    fps: float
    num_frames: int


class VideoDataset(Dataset[dict[str, Any]]):
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
    - `replaced`: the `BadSample`s that stood in its place, normally empty.

    Args:
        data_paths: Annotation file or image folder of each source (see `vjepa_pipe.sources.read_rows`), or its rows.
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
        short_videos: `repeat_last`, `circulant` or `drop`.
        max_file_bytes: Larger files count as bad.
        max_duration_sec: Longer videos count as bad.
        convention: `strict` or `reference` clip windows (see `vjepa_pipe.video.ClipSampler`).
        source_names: Name of each source; unset: the annotation file's.
        decoder: Opens the videos; unset: `PyavDecoder()`.
        seed: Seed of the keys made for plain row numbers.
        on_bad_sample: `replace` a sample that cannot be read by another row of the same source, or `raise`.
        max_replacements: Rows tried in place of a bad one.

    Raises:
        SourceError: If an annotation file cannot be read.
        ValueError: If an argument is out of range.
    """

    bad_sample_policies: ClassVar[tuple[str, ...]] = ("replace", "raise")

    def __init__(
        self,
        data_paths: str | Path | Sequence[str | Path | Rows],
        clip_mode: str = "fps",
        frames_per_clip: int = 16,
        target_fps: float = 10,
        transform: Callable[..., torch.Tensor] | None = None,
        *,
        clip_duration_sec: float | None = None,
        frame_step: int | None = None,
        frames_per_clip_by_source: Sequence[int] | None = None,
        num_clips: int = 1,
        random_clip_sampling: bool = True,
        allow_clip_overlap: bool = False,
        short_videos: str = "repeat_last",
        max_file_bytes: int | None = None,
        max_duration_sec: float | None = None,
        convention: str = "strict",
        source_names: Sequence[str] | None = None,
        decoder: Decoder | None = None,
        seed: int = 0,
        on_bad_sample: str = "replace",
        max_replacements: int = 10,
    ) -> None:
        paths = [data_paths] if isinstance(data_paths, (str, Path)) else list(data_paths)
        names = source_names if source_names is not None else [None] * len(paths)
        lengths = frames_per_clip_by_source if frames_per_clip_by_source is not None else [frames_per_clip] * len(paths)
        for argument, values in (("source_names", names), ("frames_per_clip_by_source", lengths)):
            if len(values) != len(paths):
                raise ValueError(
                    f"{argument} must have one value for each of the {len(paths)} data_paths (got {len(values)})"
                )
        if on_bad_sample not in self.bad_sample_policies:
            raise ValueError(f"on_bad_sample must be {' or '.join(self.bad_sample_policies)} (got {on_bad_sample!r})")
        self.sources: list[Rows] = [
            path if isinstance(path, Rows) else read_rows(path, name) for path, name in zip(paths, names, strict=True)
        ]
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
        self.transform = transform
        self.max_file_bytes = max_file_bytes
        self.max_duration_sec = max_duration_sec
        self.decoder: Decoder = decoder if decoder is not None else PyavDecoder()
        self.seed = seed
        self.on_bad_sample = on_bad_sample
        self.max_replacements = max_replacements
        self.index = ConcatIndices([len(rows) for rows in self.sources])
        self._takes_rng = transform is not None and "rng" in inspect.signature(transform).parameters

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int | SampleKey) -> dict[str, Any]:
        asked = self.key_of(index) if not isinstance(index, SampleKey) else index
        bad: list[BadSample] = []
        for key in self._candidates(asked):
            try:
                return self._sample(key, bad)
            except (VideoError, ClipError) as error:
                rows = self.sources[key.source]
                bad.append(BadSample(rows.name, key.row, rows.path(key.row), str(error)))
                if self.on_bad_sample == "raise":
                    raise
                if self.on_bad_sample == "zero_masked":
                    return self._blank_sample(asked, bad)
        reasons = "; ".join(dict.fromkeys(sample.reason for sample in bad[:3]))
        raise TooManyBadSamples(
            f"source {self.sources[asked.source].name}: {len(bad)} samples in a row could not be read, "
            f"the first: {reasons}"
        )

    def key_of(self, index: int) -> SampleKey:
        """The key that `dataset[index]` uses for a plain row number."""
        source, row = self.index[range(len(self))[index]]
        return SampleKey(self.seed, 0, int(index) % len(self), source, row)

    def read(self, key: SampleKey) -> Clip:
        """The decoded frames of a key, before any transform.

        Raises:
            VideoError: If the file cannot be read, or is larger or longer than allowed.
            ClipError: If no clip fits into it.
        """
        path, sampler = self.sources[key.source].path(key.row), self.clip_samplers[key.source]
        if is_image(path):
            still = read_still(path, sampler.frames_per_clip * sampler.num_clips)
            return Clip(path, still, [np.arange(sampler.frames_per_clip)] * sampler.num_clips, STILL_FPS, 1)
        self._check_size(path)
        with self.decoder.open(path) as video:
            if self.max_duration_sec is not None and video.num_frames > self.max_duration_sec * video.fps:
                raise VideoError(path, f"longer than max_duration_sec={self.max_duration_sec}")
            indices = sampler.draw(generator(key, "clip"), video.num_frames, video.fps)
            return Clip(path, video.read(np.concatenate(indices)), indices, video.fps, video.num_frames)

    def augmentation_rng(self, key: SampleKey, clip: int = 0) -> np.random.Generator:
        """The generator that a key's augmentation draws from."""
        return generator(key, f"augment/{clip}")

    def _candidates(self, key: SampleKey) -> Iterator[SampleKey]:
        """The key itself, then rows of the same source to read in its place, all following from the key."""
        yield key
        for row in generator(key, "replacement").integers(len(self.sources[key.source]), size=self.max_replacements):
            yield key._replace(row=int(row))

    def _sample(self, key: SampleKey, bad: list[BadSample]) -> dict[str, Any]:
        rows, clip = self.sources[key.source], self.read(key)
        frames = np.split(clip.frames, len(clip.indices))
        videos = [self._transformed(part, key, i) for i, part in enumerate(frames)]
        indices = [torch.from_numpy(np.asarray(part, dtype=np.int64)) for part in clip.indices]
        return {
            "video": _stack_views(videos),
            "label": rows.label(key.row),
            "clip_indices": indices[0] if len(indices) == 1 else torch.stack(indices),
            "source": rows.name,
            "row": key.row,
            "key": key,
            "replaced": bad,
        }

    def _blank_sample(self, key: SampleKey, bad: list[BadSample]) -> dict[str, Any]:
        """The sample of a row that cannot be read, for samples that can say so."""
        raise NotImplementedError

    def _transformed(self, frames: npt.NDArray[np.uint8], key: SampleKey, clip: int) -> torch.Tensor:
        if self._takes_rng:
            return self.transform(frames, rng=self.augmentation_rng(key, clip))  # type: ignore[misc]
        if self.transform is not None:
            return self.transform(torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2))
        return torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2)

    def _check_size(self, path: str) -> None:
        if self.max_file_bytes is None:
            return
        try:
            size = Path(path).stat().st_size
        except OSError as error:
            raise VideoError(path, error.strerror or str(error)) from error
        if size > self.max_file_bytes:
            raise VideoError(path, f"{size} bytes, more than max_file_bytes={self.max_file_bytes}")


def _stack_views(videos: list[torch.Tensor]) -> torch.Tensor:
    """`[C, T, H, W]` for one clip with one view, else `[N, C, T, H, W]`."""
    if len(videos) == 1:
        return videos[0]
    return torch.cat([video if video.ndim == 5 else video.unsqueeze(0) for video in videos])
