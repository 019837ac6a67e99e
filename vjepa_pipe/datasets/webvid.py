"""The dataset types `webvid` and `webvid_original`: two layouts on disk of one data set."""

from __future__ import annotations

from typing import Any

from vjepa_pipe.config.registry import register_video_dataset
from vjepa_pipe.config.video import VideoFields
from vjepa_pipe.datasets.captioned import CaptionedDataset, caption_tokens
from vjepa_pipe.sources import Rows, read_webvid, read_webvid_original


@register_video_dataset("webvid")
def build_webvid(
    config: VideoFields, tokenizer_path: str | None, max_text_len: int, **settings: Any
) -> CaptionedDataset:
    """WebVid as KempnerForge lays it out; see `read_webvid` and `CaptionedDataset`."""
    storage = settings.get("storage")
    rows = read_webvid(config.data_root, config.dataset_name, config.split, config.max_samples, storage)
    return _dataset(rows, config, tokenizer_path, max_text_len, settings)


@register_video_dataset("webvid_original")
def build_webvid_original(
    config: VideoFields, tokenizer_path: str | None, max_text_len: int, **settings: Any
) -> CaptionedDataset:
    """WebVid as its authors' download leaves it; see `read_webvid_original` and `CaptionedDataset`."""
    storage = settings.get("storage")
    rows = read_webvid_original(config.data_root, config.dataset_name, config.split, config.max_samples, storage)
    return _dataset(rows, config, tokenizer_path, max_text_len, settings)


def _dataset(
    rows: Rows, config: VideoFields, tokenizer_path: str | None, max_text_len: int, settings: dict[str, Any]
) -> CaptionedDataset:
    return CaptionedDataset(rows, config, caption_tokens(config, tokenizer_path, max_text_len), **settings)
