"""The calls of V-JEPA 1's trainer, with the published signatures and nesting.

    from vjepa_pipe.legacy.v1 import init_data, make_transforms
    from vjepa_pipe.legacy.v1 import MultiBlockMaskCollator as MB3DMaskCollator, TubeMaskCollator

stand where `app/vjepa/train.py` and the evaluations of jepa import the functions of these names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from vjepa_pipe.config.img_size import ImgSize
from vjepa_pipe.legacy.dropin import data as v2
from vjepa_pipe.legacy.dropin import masks as v2_masks
from vjepa_pipe.legacy.dropin.samples import AnyTransform
from vjepa_pipe.legacy.dropin.transforms import make_transforms
from vjepa_pipe.legacy.masks import read_tubes
from vjepa_pipe.loader import ClipLoader
from vjepa_pipe.loader.sampler import RankSampler
from vjepa_pipe.video import Decoder

__all__ = ["MultiBlockMaskCollator", "TubeMaskCollator", "init_data", "make_transforms"]

MaskedBatch = tuple[Any, list[torch.Tensor], list[torch.Tensor]]


class MultiBlockMaskCollator(v2_masks.MaskCollator):
    """Collates samples `([clip, ...], label, [indices, ...])` and draws masks (jepa `src/masks/multiblock3d.py`).

    A batch is `(samples, masks_enc, masks_pred)`: what torch's `default_collate` gives, and for each entry of
    `cfgs_mask` int64 `[B, K]`, cut as published. All clips of a video have the same mask.

    Args:
        cfgs_mask: Entries of a published `mask` list.
        crop_size: Side of a clip in pixels, or height and width.
        num_frames: Frames per clip.
        patch_size: Side of a token in pixels, or height and width, which must be equal.
        tubelet_size: Frames per token.

    Raises:
        ConfigError: If an entry is wrong, or the sides of a token differ.
        ValueError: If `crop_size` is no size.
    """

    def __init__(
        self,
        cfgs_mask: Sequence[Mapping[str, Any]],
        crop_size: ImgSize = (224, 224),
        num_frames: int = 16,
        patch_size: int | Sequence[int] = (16, 16),
        tubelet_size: int = 2,
    ) -> None:
        super().__init__(cfgs_mask, [num_frames], crop_size, patch_size, tubelet_size)

    def __call__(self, samples: Sequence[Any]) -> MaskedBatch:  # type: ignore[override]
        """Collate.

        Raises:
            KeyError: If a clip does not have `num_frames` frames.
        """
        (batch,) = super().__call__(samples)
        return batch


class TubeMaskCollator(MultiBlockMaskCollator):
    """The same with tube masks, whose entries hold a `ratio` (jepa `src/masks/random_tube.py`)."""

    _read = staticmethod(read_tubes)


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
    copy_data: bool = False,
    drop_last: bool = True,
    tokenize_txt: bool = True,
    subset_file: None = None,
    clip_len: int = 8,
    frame_sample_rate: int = 2,
    duration: float | None = None,
    num_clips: int = 1,
    random_clip_sampling: bool = True,
    allow_clip_overlap: bool = False,
    filter_short_videos: bool = False,
    filter_long_videos: int = 10**9,
    decode_one_clip: bool = True,
    datasets_weights: Sequence[float] | None = None,
    persistent_workers: bool = False,
    repeat_wds: bool = False,
    ipe: int = 300,
    log_dir: str | None = None,
    *,
    seed: int = 0,
    decoder: Decoder | None = None,
) -> tuple[ClipLoader, RankSampler]:
    """A loader of published batches, and the object that a trainer calls `set_epoch` on (jepa `src/datasets/`).

    As `vjepa_pipe.legacy.init_data`, but for what is named here.

    Args:
        batch_size: Samples per batch and rank.
        transform: Called with uint8 `[T, H, W, 3]`.
        shared_transform: Not offered.
        data: Only `VideoDataset` is offered.
        collator: Samples to a batch.
        pin_mem: Copy batches into page-locked memory; the published code does so for videos whatever it says.
        num_workers: Worker processes; 0 reads in this process.
        world_size: Number of ranks.
        rank: This rank.
        root_path: Annotation files, one per source.
        image_folder: Not offered.
        training: Without effect on videos, as published.
        copy_data: Without effect on videos, as published.
        drop_last: Leave out the last, smaller batch.
        tokenize_txt: Without effect, as published.
        subset_file: Not offered.
        clip_len: Frames per clip.
        frame_sample_rate: Source frames from one clip frame to the next; not read where `duration` is given.
        duration: Seconds that a clip spans.
        num_clips: Clips per video.
        random_clip_sampling: Draw where clips start.
        allow_clip_overlap: Clips of a short video may overlap.
        filter_short_videos: Videos shorter than a clip count as bad.
        filter_long_videos: Larger files count as bad, in bytes.
        decode_one_clip: Without effect, as published.
        datasets_weights: Share of each source in the samples drawn.
        persistent_workers: Without effect, as published: workers are kept.
        repeat_wds: Without effect, as published.
        ipe: Without effect, as published.
        log_dir: Folder for logs of the workers' resources.
        seed: Every draw follows from it; equal on all ranks.
        decoder: Opens the videos; unset: PyAV.

    Raises:
        ConfigError: If something is asked for that is not offered, or arguments contradict each other.
        SourceError: If an annotation file cannot be read.
    """
    del copy_data, tokenize_txt, decode_one_clip, persistent_workers, repeat_wds, ipe
    return v2.init_data(
        batch_size,
        transform,
        shared_transform,
        data,
        collator,
        pin_mem,
        num_workers,
        world_size,
        rank,
        root_path,
        image_folder,
        training,
        drop_last,
        subset_file,
        clip_len=clip_len,
        frame_sample_rate=frame_sample_rate if duration is None else None,
        duration=duration,
        num_clips=num_clips,
        random_clip_sampling=random_clip_sampling,
        allow_clip_overlap=allow_clip_overlap,
        filter_short_videos=filter_short_videos,
        filter_long_videos=filter_long_videos,
        datasets_weights=datasets_weights,
        persistent_workers=num_workers > 0,
        log_dir=log_dir,
        seed=seed,
        decoder=decoder,
    )
