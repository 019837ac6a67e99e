"""Rules that hold between the settings of captioned video."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.errors import did_you_mean
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.registry import list_sampling_policies, list_video_datasets

READ = (
    "frames_per_clip", "img_size", "num_workers", "batch_size", "max_file_bytes", "max_duration_sec",
    "path_variables", "extra_args", "_target_",
)  # fmt: skip


def captions_read_their_own_settings(experiment: ExperimentConfig) -> Iterator[str]:
    """Settings of clips cut from annotation lists would be ignored, so they are refused."""
    data = experiment.data
    if not isinstance(data, CaptionedDataConfig):
        return
    plain = DataConfig()
    for field in dataclasses.fields(DataConfig):
        value = getattr(data, field.name)
        if field.name not in READ and value != getattr(plain, field.name):
            hint = ": set data.data_root" if field.name == "data_paths" else ""
            yield f"data.{field.name}={value} is not read for captioned video{hint}"
    for name, own in (("frames_per_clip", "max_frames"), ("img_size", "frame_size")):
        if getattr(data, name) != getattr(data, own):
            yield f"data.{name} must equal data.{own}={getattr(data, own)} (got {getattr(data, name)}): set data.{own}"


def captions_name_what_is_registered(experiment: ExperimentConfig) -> Iterator[str]:
    """Dataset type and sampling policy have a name that is known."""
    data = experiment.data
    if not isinstance(data, CaptionedDataConfig):
        return
    for name, known in (("dataset_type", list_video_datasets()), ("sampling_policy", list_sampling_policies())):
        value = getattr(data, name)
        if value not in known:
            yield f"data.{name} must be one of {', '.join(known)} (got {value!r}){did_you_mean(value, known)}"
    if data.min_frames > data.max_frames:
        yield f"data.min_frames ({data.min_frames}) must be <= data.max_frames ({data.max_frames})"


def captions_fit_the_model(experiment: ExperimentConfig) -> Iterator[str]:
    """Frames and text fit the model together, where its token budget is given."""
    data = experiment.data
    if not isinstance(data, CaptionedDataConfig):
        return
    text = data.text
    if text.labels == "next_token" and text.max_text_len < 2:
        yield f"data.text.max_text_len must be >= 2 with data.text.labels=next_token (got {text.max_text_len})"
    if (text.tokens_per_frame is None) != (text.max_seq_len is None):
        given, other = ("max_seq_len", "tokens_per_frame")[:: 1 if text.tokens_per_frame is None else -1]
        yield f"data.text.{given} is given without data.text.{other}: the token budget needs both"
    if text.tokens_per_frame is None or text.max_seq_len is None:
        return
    needed = data.max_frames * text.tokens_per_frame + text.max_text_len
    if needed > text.max_seq_len:
        room = (text.max_seq_len - text.max_text_len) // text.tokens_per_frame
        advice = f"lower data.max_frames to {room}" if room >= 1 else "lower data.text.max_text_len"
        yield (
            f"data.text.max_seq_len ({text.max_seq_len}) is too small: data.max_frames ({data.max_frames}) x "
            f"data.text.tokens_per_frame ({text.tokens_per_frame}) + data.text.max_text_len ({text.max_text_len}) "
            f"= {needed}; {advice}"
        )


def masked_samples_have_a_mask(experiment: ExperimentConfig) -> Iterator[str]:
    """Only samples with a frame mask can say that none of their frames is real."""
    if experiment.loader.on_bad_sample == "zero_masked" and not isinstance(experiment.data, CaptionedDataConfig):
        yield "loader.on_bad_sample=zero_masked needs captioned video, such as data=webvid: other samples have no mask"


CAPTION_RULES = (
    captions_read_their_own_settings,
    captions_name_what_is_registered,
    captions_fit_the_model,
    masked_samples_have_a_mask,
)
