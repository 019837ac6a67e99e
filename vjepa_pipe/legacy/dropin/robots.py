"""`init_droid_data`: `init_data` of vjepa2 `app/vjepa_droid/droid.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.loader import LoaderConfig
from vjepa_pipe.config.robot_data import RobotDataConfig
from vjepa_pipe.config.robotics import RoboticsConfig
from vjepa_pipe.datasets import RobotDataset
from vjepa_pipe.legacy.dropin.loading import build_loader
from vjepa_pipe.legacy.dropin.samples import AnyTransform, ViewsOf, default_batch
from vjepa_pipe.loader import ClipLoader
from vjepa_pipe.loader.sampler import RankSampler
from vjepa_pipe.video import Decoder

NUMBERS = ("actions", "states", "extrinsics", "indices")


@dataclass
class PublishedRobotForm:
    """Collates the samples of a `RobotDataset` as published ones: video, actions, states, extrinsics, indices.

    Attributes:
        collate: What the published caller collates with; it gets everything but the video as NumPy arrays.
    """

    collate: Callable[[Sequence[Any]], Any]

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Any:
        return self.collate([(one["video"], *(one[name].numpy() for name in NUMBERS)) for one in samples])


def init_droid_data(
    data_path: str | Path,
    batch_size: int,
    frames_per_clip: int = 16,
    fps: float | None = 5,
    crop_size: int = 224,
    rank: int = 0,
    world_size: int = 1,
    camera_views: Sequence[str] | int = 0,
    stereo_view: bool = False,
    drop_last: bool = True,
    num_workers: int = 10,
    pin_mem: bool = True,
    persistent_workers: bool = True,
    collator: Callable[[Sequence[Any]], Any] | None = None,
    transform: AnyTransform | None = None,
    camera_frame: bool = False,
    tubelet_size: int = 2,
    *,
    seed: int = 0,
    decoder: Decoder | None = None,
    log_dir: str | None = None,
) -> tuple[ClipLoader, RankSampler]:
    """Clips of raw DROID with what the robot did, in published order of arguments and of entries.

    With the default collator a batch is `[video, actions, states, extrinsics, indices]`: what the transform gives with
    a batch in front; float64 `[B, S - 1, 7]`, `[B, S, 7]` and `[B, S, 6]`, S = ceil(frames_per_clip / tubelet_size);
    int64 `[B, frames_per_clip]`. Rows are chosen as published: by the fps that the mp4 header claims.

    Args:
        data_path: A file with a trajectory folder on each line, or a folder to look for them in.
        batch_size: Clips per batch and rank.
        frames_per_clip: Frames per clip.
        fps: Frames per second of a clip; None takes every frame.
        crop_size: Without effect, as in the published code: the transform crops.
        rank: This rank.
        world_size: Number of ranks.
        camera_views: Cameras by their key in the metadata, such as `left_mp4_path`; each clip draws one. The default
            names none, on which the published code never returns and this one raises.
        stereo_view: Without effect, as in the published code.
        drop_last: Leave out the last, smaller batch.
        num_workers: Worker processes; 0 reads in this process.
        pin_mem: Copy batches into page-locked memory.
        persistent_workers: Keep the workers from one epoch to the next.
        collator: Tuples of the five entries to a batch; unset: torch's `default_collate`.
        transform: Called with uint8 `[T, H, W, 3]`, and with `rng=` if it has such a parameter.
        camera_frame: States and actions in the camera's frame.
        tubelet_size: States and actions for every how many frames.
        seed: Every draw follows from it; equal on all ranks.
        decoder: Opens the videos; unset: PyAV.
        log_dir: Folder for logs of the workers' resources.

    Raises:
        ConfigError: If no camera is named, or there are fewer trajectories than a batch over all ranks.
        SourceError: If the list cannot be read.
    """
    del crop_size, stereo_view
    if not camera_views or isinstance(camera_views, (int, str)):
        example = "such as ['left_mp4_path']"
        raise ConfigError(
            [f"camera_views must be a list of the metadata's camera keys, {example} (got {camera_views!r})"]
        )
    dataset = RobotDataset(
        RobotDataConfig(data_paths=[str(data_path)], frames_per_clip=frames_per_clip, cameras=list(camera_views)),
        RoboticsConfig(
            enabled=True, fps=fps, temporal_sampling="reference", camera_frame=camera_frame, frameskip=tubelet_size
        ),
        transform=ViewsOf(transform),
        decoder=decoder,
        seed=seed,
    )
    return build_loader(
        dataset,
        PublishedRobotForm(collator if collator is not None else default_batch),
        batch_size,
        rank,
        world_size,
        drop_last=drop_last,
        num_workers=num_workers,
        config=LoaderConfig(pin_memory=pin_mem, persistent_workers=persistent_workers),
        seed=seed,
        log_dir=log_dir,
    )
