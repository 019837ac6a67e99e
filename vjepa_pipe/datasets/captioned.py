"""CaptionedDataset: videos with captions, a fixed number of frames from the whole of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from vjepa_pipe.config.captioned import LAYOUTS, TextConfig
from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.config.img_size import height_and_width
from vjepa_pipe.config.instantiate import parameters_of
from vjepa_pipe.config.registry import get_video_dataset
from vjepa_pipe.config.video import VideoFields
from vjepa_pipe.datasets.caption_tokens import CaptionTokens, load_tokenizer
from vjepa_pipe.datasets.limits import check_file, check_size
from vjepa_pipe.datasets.stats import SampleStats, Stopwatch
from vjepa_pipe.datasets.video import Clip, VideoDataset
from vjepa_pipe.figures import clip_figures
from vjepa_pipe.sampling import SampleKey
from vjepa_pipe.sources import Rows
from vjepa_pipe.storage import Storage, is_remote, shown_path
from vjepa_pipe.transforms import Squeeze
from vjepa_pipe.video import Decoder, FrameSampler, VideoError, times_of


class CaptionedDataset(VideoDataset):
    """Frames of captioned videos, in the layout of a video-language model or of V-JEPA.

    Samples follow from keys as in `VideoDataset`. With F = `config.max_frames`, and H and W those of
    `config.frame_size`, a sample is a dict:

    - layout `vlm`: `pixel_values`, float32 `[F, 3, H, W]` in [-1, 1]; layout `vjepa`: `video`, what the transform
      makes of the frames, `[3, F, H, W]`. Frames beyond those of a short video are exact zeros;
    - `frame_mask`: bool `[F]`, true for real frames, which come first, each once;
    - `frame_times`: float32 `[F]`, seconds from the video's first frame; 0 for frames that are not real;
    - `clip_indices`: int64 `[F]`, frame numbers in presentation order; -1 for frames that are not real;
    - `caption` (also `label`), `video_id` (the file's name without suffix), `decode_ok` (bool tensor);
    - with `tokens`: `input_ids` and `labels`, int64 `[max_text_len]`;
    - `source`, `row`, `key`, `replaced` and `stats`, as in `VideoDataset`.

    Args:
        rows: The videos; labels are captions.
        config: Policy, numbers of frames and their size.
        tokens: Makes tokens of captions; unset: none are made.
        layout: `vlm` or `vjepa`.
        transform: Makes the frames a tensor, for `vjepa` only; see `VideoDataset`.
        decoder: Opens the videos; unset: `PyavDecoder(storage=storage)`.
        storage: Reads what lies at URLs; unset: with the default settings.
        seed: Seed of the keys made for plain row numbers.
        on_bad_sample: As in `VideoDataset`, or `zero_masked`: zeros, nothing real, no label to train on.
        max_replacements: Rows tried in place of a bad one.
        max_file_bytes: Larger files count as bad.
        max_duration_sec: Longer videos count as bad.

    Raises:
        ValueError: If an argument is out of range.
    """

    bad_sample_policies = (*VideoDataset.bad_sample_policies, "zero_masked")

    def __init__(
        self,
        rows: Rows,
        config: VideoFields,
        tokens: CaptionTokens | None = None,
        *,
        layout: str = "vlm",
        transform: Callable[..., torch.Tensor] | None = None,
        decoder: Decoder | None = None,
        storage: Storage | None = None,
        seed: int = 0,
        on_bad_sample: str = "replace",
        max_replacements: int = 10,
        max_file_bytes: int | None = None,
        max_duration_sec: float | None = None,
    ) -> None:
        if layout not in LAYOUTS:
            raise ValueError(f"layout must be one of {', '.join(LAYOUTS)} (got {layout!r})")
        super().__init__(
            [rows],
            frames_per_clip=config.max_frames,
            transform=Squeeze(config.frame_size) if layout == "vlm" else transform,
            decoder=decoder,
            storage=storage,
            seed=seed,
            on_bad_sample=on_bad_sample,
            max_replacements=max_replacements,
            max_file_bytes=max_file_bytes,
            max_duration_sec=max_duration_sec,
        )
        self.tokens = tokens
        self.layout = layout
        self.frame_size = config.frame_size
        self.frame_sampler = FrameSampler.named(
            config.sampling_policy, config.fps, config.min_frames, config.max_frames
        )

    @property
    def text_padding(self) -> tuple[int, int | None]:
        """The token that fills up texts, and their length; the length is None without tokens."""
        return (self.tokens.pad_id, self.tokens.max_text_len) if self.tokens else (0, None)

    def read(self, key: SampleKey) -> Clip:
        """The decoded frames of a key, before any transform; errors as for `VideoDataset.read`."""
        return self._read_timed(key)[0]

    def _read_timed(self, key: SampleKey) -> tuple[Clip, torch.Tensor]:
        laps, located = Stopwatch(), self.sources[key.source].path(key.row)
        path = shown_path(located)
        if not is_remote(located):
            check_file(path, self.max_file_bytes)
        with self.decoder.open(located) as video:
            check_size(path, getattr(video, "size", None), self.max_file_bytes)
            times = times_of(video.frame_times, video.fps)
            if self.max_duration_sec is not None and times.duration > self.max_duration_sec:
                raise VideoError(path, f"longer than max_duration_sec={self.max_duration_sec}")
            indices, opened = self.frame_sampler.frames(times), laps()
            frames = video.read(indices)
            decoded = getattr(video, "frames_decoded", None)
            clip = Clip(path, frames, [indices], video.fps, video.num_frames, decoded, opened, laps())
            return clip, torch.from_numpy(times.starts[indices])

    def sample(self, key: SampleKey) -> dict[str, Any]:
        """The sample of a key, without `key` and `replaced`; errors as for `read`."""
        clip, times = self._read_timed(key)
        laps, indices = Stopwatch(), torch.from_numpy(clip.indices[0])
        frames, drawn = self._transformed(clip.frames, key, 0)
        sample = self._packed(key, frames, times, indices)
        figures = clip_figures(indices.tolist(), clip.fps, self.frame_sampler.max_frames) | drawn
        stats = SampleStats(len(indices), clip.frames_decoded, clip.open_sec, clip.decode_sec, laps(), figures)
        return sample | {"stats": stats}

    def blank_sample(self, key: SampleKey) -> dict[str, Any]:
        """Zeros in place of frames, none of them real, and no label to train on."""
        shape = (0, 3, *height_and_width(self.frame_size))
        nothing = torch.zeros(shape if self.layout == "vlm" else (shape[1], shape[0], *shape[2:]))
        sample = self._packed(key, nothing, torch.zeros(0), torch.zeros(0, dtype=torch.int64))
        untrained = self.tokens.untrained(sample["caption"]) if self.tokens else {}
        return sample | untrained | {"decode_ok": torch.tensor(False)}

    def _packed(
        self, key: SampleKey, frames: torch.Tensor, times: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, Any]:
        """A sample, filled up to F frames."""
        rows, missing = self.sources[key.source], self.frame_sampler.max_frames - len(times)
        caption, after = str(rows.label(key.row)), (0, missing)
        name, beside = ("pixel_values", 3) if self.layout == "vlm" else ("video", 2)
        return {
            name: pad(frames, (0, 0) * beside + after),
            "frame_mask": torch.arange(missing + len(times)) < len(times),
            "frame_times": pad(times.to(torch.float32), after),
            "clip_indices": pad(indices, after, value=-1),
            "caption": caption,
            "label": caption,
            "video_id": rows.stem(key.row),
            "decode_ok": torch.tensor(True),
            **(self.tokens(caption) if self.tokens else {}),
            "source": rows.name,
            "row": key.row,
        }


def build_video_dataset(
    config: VideoFields,
    tokenizer_path: str | None = None,
    max_text_len: int | None = None,
    *,
    data_paths: Sequence[str] = (),
    transform: Callable[..., torch.Tensor] | None = None,
    decoder: Decoder | None = None,
    storage: Storage | None = None,
    seed: int = 0,
    on_bad_sample: str = "replace",
    max_replacements: int = 10,
    extra_args: Mapping[str, Any] | None = None,
) -> Any:
    """The dataset of the type that `config.dataset_type` names.

    Its builder is called as `builder(config, tokenizer_path, max_text_len, **settings)`. Settings are those of
    `CaptionedDataset`, of which a builder may take some, and `extra_args`.

    Args:
        config: A `VideoConfig`, or the `data` of an experiment, which also says layout and text.
        tokenizer_path: A transformers tokenizer; unset: the config's, else none.
        max_text_len: Tokens of prompt and caption; unset: the config's.
        data_paths: The data set's folder, where it was found elsewhere than in `config.data_root`.
        transform: Makes frames a tensor, with layout `vjepa`.
        decoder: Opens the videos.
        storage: Reads what lies at URLs.
        seed: Seed of the keys made for plain row numbers.
        on_bad_sample: `replace`, `raise` or `zero_masked`.
        max_replacements: Rows tried in place of a bad one.
        extra_args: Further arguments of the builder; unset: the config's.

    Raises:
        ConfigError: If the builder has no parameter for one of `extra_args`.
        UserError: If the data, the tokenizer or the type's code cannot be used.
    """
    if data_paths:
        config = dataclasses.replace(config, data_root=data_paths[0])
    text: TextConfig = getattr(config, "text", TextConfig())
    output = getattr(config, "output", None)
    settings = {
        "layout": output.layout if output else "vlm",
        "transform": transform,
        "decoder": decoder,
        "storage": storage,
        "seed": seed,
        "on_bad_sample": on_bad_sample,
        "max_replacements": max_replacements,
        "max_file_bytes": getattr(config, "max_file_bytes", None),
        "max_duration_sec": getattr(config, "max_duration_sec", None),
    }
    builder = get_video_dataset(config.dataset_type)
    named, takes_any = parameters_of(builder)
    own = dict(extra_args or getattr(config, "extra_args", {}))
    unknown = [key for key in own if not takes_any and key not in named]
    if unknown:
        raise ConfigError([f"data.extra_args.{key}: {config.dataset_type} has no such parameter" for key in unknown])
    taken = {name: value for name, value in settings.items() if takes_any or name in named} | own
    dataset = builder(config, tokenizer_path or text.tokenizer_path, max_text_len or text.max_text_len, **taken)
    if not isinstance(dataset, VideoDataset):
        kind = type(dataset).__name__
        raise UserError(f"data.dataset_type={config.dataset_type} must build a CaptionedDataset (got {kind})")
    dataset.lists = [shown_path(config.data_root)]
    return dataset


def caption_tokens(config: VideoFields, tokenizer_path: str | None, max_text_len: int) -> CaptionTokens | None:
    """What makes tokens of captions, for builders of dataset types; None without a tokenizer."""
    if tokenizer_path is None:
        return None
    text: TextConfig = getattr(config, "text", TextConfig())
    return CaptionTokens(load_tokenizer(tokenizer_path), max_text_len, config.prompt, text.labels)
