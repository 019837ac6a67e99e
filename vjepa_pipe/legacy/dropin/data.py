"""`init_data` with the published signature (vjepa2 `src/datasets/data_manager.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vjepa_pipe.config.errors import ConfigError, counted, did_you_mean
from vjepa_pipe.config.loader import LoaderConfig
from vjepa_pipe.datasets import VideoDataset
from vjepa_pipe.legacy.dropin.loading import build_loader
from vjepa_pipe.legacy.dropin.masks import MaskCollator
from vjepa_pipe.legacy.dropin.samples import AnyTransform, PublishedForm, ViewsOf, default_batch
from vjepa_pipe.loader import ClipLoader
from vjepa_pipe.loader.sampler import RankSampler
from vjepa_pipe.video import Decoder


def init_data(
    batch_size: int,
    transform: AnyTransform | None = None,
    shared_transform: None = None,
    data: str = "ImageNet",
    collator: Callable[[Sequence[Any]], Any] | None = None,
    pin_mem: bool = True,
    num_workers: int = 8,
    world_size: int = 1,
    rank: int = 0,
    root_path: str | Sequence[str] | None = None,
    image_folder: None = None,
    training: bool = True,
    drop_last: bool = True,
    subset_file: None = None,
    clip_len: int | None = None,
    dataset_fpcs: Sequence[int] | None = None,
    frame_sample_rate: int | None = None,
    duration: float | None = None,
    fps: float | None = None,
    num_clips: int = 1,
    random_clip_sampling: bool = True,
    allow_clip_overlap: bool = False,
    filter_short_videos: bool = False,
    filter_long_videos: int = 10**9,
    datasets_weights: Sequence[float] | None = None,
    persistent_workers: bool = False,
    deterministic: bool = True,
    log_dir: str | None = None,
    *,
    seed: int = 0,
    decoder: Decoder | None = None,
) -> tuple[ClipLoader, RankSampler]:
    """A loader of published batches, and the object that a trainer calls `set_epoch` on.

    Frames are chosen as published. A batch is what `collator` (else torch's `default_collate`) makes of
    samples `([clip, ...], label, [indices, ...])`, with int64 `[T]` indices; with a transform that
    gives a list of views, each clip is a list too.

    Args:
        batch_size: Samples per batch and rank.
        transform: Called with uint8 `[T, H, W, 3]`, and with `rng=` if it has such a parameter.
        shared_transform: Not offered.
        data: Only `VideoDataset` is offered.
        collator: Samples to a batch.
        pin_mem: Copy batches into page-locked memory.
        num_workers: Worker processes; 0 reads in this process.
        world_size: Number of ranks.
        rank: This rank.
        root_path: Annotation files, one per source.
        image_folder: Not offered.
        training: Without effect on videos, as in the published code: the order is shuffled either way.
        drop_last: Leave out the last, smaller batch. The published code does so even where it is told not to.
        subset_file: Not offered.
        clip_len: Frames per clip.
        dataset_fpcs: Frames per clip of each source, instead of `clip_len`.
        frame_sample_rate: Source frames from one clip frame to the next; give this, `duration` or `fps`.
        duration: Seconds that a clip spans.
        fps: Frames per second of a clip.
        num_clips: Clips per video.
        random_clip_sampling: Draw where clips start.
        allow_clip_overlap: Clips of a short video may overlap.
        filter_short_videos: Videos shorter than a clip count as bad.
        filter_long_videos: Larger files count as bad, in bytes.
        datasets_weights: Share of each source in the samples drawn; None, or empty as V-JEPA 2.1's trainer has it for
            images where its YAML says nothing: every sample once.
        persistent_workers: Keep the workers from one epoch to the next.
        deterministic: Only True is offered: batches come in order.
        log_dir: Folder for logs of the workers' resources.
        seed: Every draw follows from it; equal on all ranks.
        decoder: Opens the videos; unset: PyAV.

    Raises:
        ConfigError: If something is asked for that is not offered, or arguments contradict each other.
        SourceError: If an annotation file cannot be read.
    """
    del training
    mode = _clip_mode(fps, duration, frame_sample_rate)
    _refuse(data, deterministic, shared_transform=shared_transform, image_folder=image_folder, subset_file=subset_file)
    paths = [root_path] if isinstance(root_path, (str, Path)) else list(root_path or [])
    if datasets_weights and len(datasets_weights) != len(paths):
        raise ConfigError(
            [f"datasets_weights must have {counted(len(paths), 'value')}, one for each file (got {datasets_weights})"]
        )
    if clip_len is None and not dataset_fpcs:
        raise ConfigError(["clip_len or dataset_fpcs must be given"])
    views = ViewsOf(transform)
    dataset = VideoDataset(
        paths,
        clip_mode=mode,
        frames_per_clip=clip_len or max(dataset_fpcs or [1]),
        target_fps=fps or 10,
        transform=views,
        clip_duration_sec=duration,
        frame_step=frame_sample_rate,
        frames_per_clip_by_source=dataset_fpcs,
        num_clips=num_clips,
        random_clip_sampling=random_clip_sampling,
        allow_clip_overlap=allow_clip_overlap,
        short_videos="drop" if filter_short_videos else "repeat_last",
        max_file_bytes=int(filter_long_videos),
        convention="reference",
        decoder=decoder,
        seed=seed,
    )
    if isinstance(collator, MaskCollator):
        collator.global_batch_size = batch_size * world_size
    return build_loader(
        dataset,
        PublishedForm(views, num_clips, collator or default_batch),
        batch_size,
        rank,
        world_size,
        drop_last=drop_last,
        num_workers=num_workers,
        config=LoaderConfig(pin_memory=pin_mem, persistent_workers=persistent_workers),
        seed=seed,
        weights=datasets_weights,
        log_dir=log_dir,
    )


def _clip_mode(fps: float | None, duration: float | None, frame_step: int | None) -> str:
    given = [name for name, v in (("fps", fps), ("duration", duration), ("frame_step", frame_step)) if v is not None]
    if len(given) != 1:
        raise ConfigError([f"one of fps, duration and frame_sample_rate must be given (got {given or 'none'})"])
    return given[0]


def _refuse(data: str, deterministic: bool, **unused: object) -> None:
    faults = [f"{name}={value!r} is not offered here" for name, value in unused.items() if value is not None]
    if data.lower() != "videodataset":
        faults.append(f"data={data!r} is not offered here{did_you_mean(data, ['VideoDataset'])}: only VideoDataset")
    if not deterministic:
        faults.append("deterministic=False is not offered here: batches come in order")
    if faults:
        raise ConfigError(faults)
