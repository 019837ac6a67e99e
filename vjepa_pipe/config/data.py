"""What an experiment may say about its data: group `data/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from vjepa_pipe.config.fields import setting

CLIP_MODES = ("fps", "duration", "frame_step")
SHORT_VIDEO_POLICIES = ("repeat_last", "circulant", "drop")
CONVENTIONS = ("strict", "reference")
CSV_LISTS = "annotation files, one per source, with lines of `path label`"
FOLDER_LABELS = ("none", "folders")
REPEATED_WINDOWS = ("own", "same")


@dataclass
class DataConfig:
    """Which videos, which frames of them, and how many at a time."""

    data_paths: list[str] = setting(
        [],
        "annotation files (.csv, .txt, .npy, also .gz), or folders of class folders, or their URLs, one per source",
        path=True,
    )
    data_weights: Optional[list[float]] = setting(
        None, "share of each source in the samples drawn; unset: in proportion to their rows", ge=0, le=1e12
    )
    clip_mode: str = setting(
        "fps", "what fixes the time between frames: target_fps, clip_duration_sec or frame_step", choices=CLIP_MODES
    )
    frames_per_clip: int = setting(16, "frames in a clip", ge=1, le=10_000)
    target_fps: float = setting(10, "frames per second of a clip, with clip_mode=fps", gt=0, le=10_000)
    img_size: int = setting(224, "side of the square the clip is cropped and resized to, in pixels", ge=1, le=8192)
    num_workers: int = setting(
        8, "decoding processes per rank; 0 decodes in the main process", ge=0, le=1024, affects_results=False
    )
    batch_size: int = setting(64, "clips per batch and rank", ge=1, le=65_536)
    clip_duration_sec: Optional[float] = setting(
        None, "seconds a clip spans, with clip_mode=duration (3.2 when unset)", gt=0, le=1e6
    )
    frame_step: Optional[int] = setting(
        None,
        "source frames from one clip frame to the next, with clip_mode=frame_step (4 when unset)",
        ge=1,
        le=1_000_000,
    )
    frames_per_clip_by_source: Optional[list[int]] = setting(
        None, "frames in a clip, source by source, where they differ", ge=1, le=10_000
    )
    num_clips: int = setting(1, "clips taken from each video", ge=1, le=1000)
    random_clip_sampling: bool = setting(True, "draw where a clip starts; false: at the start of its segment")
    allow_clip_overlap: bool = setting(False, "clips of one video may overlap when it is short")
    repeated_sampling: int = setting(
        1,
        "clips that a batch takes from one opening of a video, each with its own augmentation and mask; a divisor of "
        "batch_size",
        ge=1,
        le=65_536,
    )
    repeated_window: str = setting(
        "own",
        "frames of these clips: own draws a window for each, same one for all of them",
        choices=REPEATED_WINDOWS,
    )
    short_videos: str = setting(
        "repeat_last",
        "what fills a clip longer than its video; drop treats the video as bad",
        choices=SHORT_VIDEO_POLICIES,
    )
    max_file_bytes: Optional[int] = setting(None, "larger files are treated as bad, in bytes", ge=1, le=10**18)
    max_duration_sec: Optional[float] = setting(None, "longer videos are treated as bad, in seconds", gt=0, le=1e9)
    convention: str = setting(
        "strict",
        "clip windows: strict keeps the stride true and reaches the last window; reference picks the frames "
        "the published vjepa2 loader picks",
        choices=CONVENTIONS,
    )
    index_dir: Optional[str] = setting(
        None,
        "folder of task=index: files that are bad there, or too long or short, are not opened, and others sooner",
        path=True,
        affects_results=False,
    )
    source_names: Optional[list[str]] = setting(None, "a name per source; unset: the names of the files or folders")
    path_variables: list[str] = setting(
        [], "environment variables that name the annotation files, used when data_paths is empty"
    )
    eval_data_paths: list[str] = setting([], "annotation files of the eval loader; empty: data_paths", path=True)
    eval_path_variables: list[str] = setting(
        [],
        "environment variables that name these files, used when eval_data_paths is empty",
        in_identity_if_set=True,
        affects_results=False,
    )
    extra_args: dict[str, Any] = setting({}, "further keyword arguments, for a `_target_` of your own")
    _target_: str = setting("vjepa_pipe.datasets.VideoDataset", "what is built from this group")


@dataclass
class CsvDataConfig(DataConfig):
    """Your own videos: annotation files with lines of `path label`.

    python launch.py data=csv 'data.data_paths=[train.csv]'
    """

    data_paths: list[str] = setting([], CSV_LISTS, path=True)


@dataclass
class FolderDataConfig(DataConfig):
    """Folders of videos or images, flat or deep; needs no list and no labels.

    python launch.py data=folder 'data.data_paths=[my_videos]'
    """

    data_paths: list[str] = setting([], "folders, or their URLs, one per source", path=True, not_empty=True)
    glob: str = setting(
        "**",
        "which files, by their path below the folder: *.mp4 in the folder itself, **/*.mp4 at any depth, train/** all "
        "below train; of these, those with a suffix of images or videos that are not hidden",
        not_empty=True,
    )
    labels: str = setting(
        "none",
        "none: 0 for every file; folders: the place of its CLASS, as in FOLDER/CLASS/.../FILE, among all, sorted",
        choices=FOLDER_LABELS,
    )


@dataclass
class SyntheticImagesConfig(DataConfig):
    """Still images of shapes, written on first use: which shape is the label."""

    num_images: int = setting(64, "images to write", ge=1, le=1_000_000)
    cache_dir: Optional[str] = setting(
        None,
        "where the images are kept; unset: $VJEPA_PIPE_CACHE, else ~/.cache/vjepa_pipe",
        path=True,
        affects_results=False,
    )


@dataclass
class SyntheticDataConfig(DataConfig):
    """Videos of moving shapes, written on first use: their direction is the label."""

    num_videos: int = setting(32, "videos to write", ge=1, le=1_000_000)
    eval_videos: Optional[int] = setting(
        None,
        "further videos to write, for the eval loader; unset: it reads those of training",
        ge=1,
        le=1_000_000,
        in_identity_if_set=True,
    )
    small: bool = setting(
        False, "pictures of 96 to 144 pixels a side, which are read in a fraction of the time", in_identity_if_set=True
    )
    cache_dir: Optional[str] = setting(
        None,
        "where the videos are kept; unset: $VJEPA_PIPE_CACHE, else ~/.cache/vjepa_pipe",
        path=True,
        affects_results=False,
    )
