"""What an experiment may say about captioned video: group option `data=webvid`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.img_size import ImgSize, canonical
from vjepa_pipe.config.video import VideoFields

LAYOUTS = ("vlm", "vjepa")
LABELS = ("next_token", "reference")


@dataclass
class TextConfig:
    """Captions as tokens, for a language model; without a tokenizer samples carry the caption alone."""

    tokenizer_path: Optional[str] = setting(
        None, "folder or name of a transformers tokenizer (needs the extra `text`); unset: no tokens", path=True
    )
    max_text_len: int = setting(64, "tokens of prompt and caption; shorter texts are padded to it", ge=1, le=10**6)
    labels: str = setting(
        "next_token",
        "next_token: each position's label is the token that follows it; reference: the token it holds itself, "
        "as KempnerForge first published it",
        choices=LABELS,
    )
    tokens_per_frame: Optional[int] = setting(
        None, "tokens that the model makes of a frame, for the budget", ge=1, le=10**6
    )
    max_seq_len: Optional[int] = setting(
        None, "tokens that the model can take; max_frames x tokens_per_frame + max_text_len must fit", ge=1, le=10**9
    )


@dataclass
class OutputConfig:
    """The form of a sample."""

    layout: str = setting(
        "vlm",
        "vlm: pixel_values [F,3,H,W] from -1 to 1, whole frames squeezed to frame_size, without data_aug or masks; "
        "vjepa: video [3,F,H,W] through data_aug, with masks",
        choices=LAYOUTS,
    )


def is_vlm(data: DataConfig) -> bool:
    """Whether samples are made for a language model, without augmentation and masks."""
    return isinstance(data, CaptionedDataConfig) and data.output.layout == "vlm"


@dataclass
class CaptionedDataConfig(VideoFields, DataConfig):
    """Videos with captions, a fixed number of frames from the whole of each."""

    frames_per_clip: int = setting(16, "frames in a sample: equal to max_frames", ge=1, le=10_000)
    img_size: ImgSize = setting(224, "height and width of a frame in pixels: equal to frame_size", ge=1, le=8192)
    text: TextConfig = setting(TextConfig(), "captions as tokens")
    output: OutputConfig = setting(OutputConfig(), "the form of a sample")
    _target_: str = setting("vjepa_pipe.datasets.build_video_dataset", "what is built from this group")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.frame_size = canonical(self.frame_size)
