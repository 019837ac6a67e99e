"""What an experiment may say about clips before actions: group option `data=epic_kitchens`."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.fields import setting


@dataclass
class EpicKitchensDataConfig(DataConfig):
    """Clips that end before an action in a long video, with the verb, noun and action that follow.

    A clip ends `anticipation_time_sec` before its anticipation point, a moment of the action.
    """

    data_paths: list[str] = setting(
        [],
        "annotation files such as EPIC_100_train.csv, or their URLs, one per source; all together say which classes "
        "there are",
        path=True,
    )
    frames_per_clip: int = setting(32, "frames in a clip", ge=1, le=10_000)
    target_fps: float = setting(8, "frames per second of a clip", gt=0, le=10_000)
    short_videos: str = setting(
        "repeat_first", "what fills a clip that would begin before its video", choices=("repeat_first",)
    )
    video_root: str = setting(
        "", "folder of the videos, or its URL; empty: the folder of each annotation file", path=True
    )
    video_path: str = setting(
        "{participant}/videos/{video}.MP4",
        "where a video lies in that folder; {video} is its video_id, {participant} the part of it before the first _",
        not_empty=True,
    )
    anticipation_time_sec: tuple[float, float] = setting(
        (1.0, 1.0),
        "seconds from the end of a clip to its anticipation point: smallest and largest that are drawn in training",
        ge=0,
        le=10_000,
        ordered=True,
    )
    anticipation_point: tuple[float, float] = setting(
        (1.0, 1.0),
        "moment of the action, as a share of it that is still to come: 1 its start, 0 its end; smallest and largest "
        "that are drawn in training",
        ge=0,
        le=1,
        ordered=True,
    )
    eval_anticipation_time_sec: float = setting(1.0, "anticipation_time_sec of the eval loader", ge=0, le=10_000)
    eval_anticipation_point: float = setting(1.0, "anticipation_point of the eval loader", ge=0, le=1)
    _target_: str = setting("vjepa_pipe.datasets.EpicKitchensDataset", "what is built from this group")
