"""Which samples there are: one module per layout on disk.

This folder opens annotation files, tables of numbers and lists of folders; it never opens a video.
"""

from __future__ import annotations

from vjepa_pipe.config.folders import cache_dir
from vjepa_pipe.sources.errors import EpisodeError, SourceError, read_all
from vjepa_pipe.sources.lists.annotations import read_rows
from vjepa_pipe.sources.lists.epic_kitchens import ActionClasses, Segments, read_actions
from vjepa_pipe.sources.lists.webvid import read_webvid, read_webvid_original
from vjepa_pipe.sources.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from vjepa_pipe.sources.probed.video_index import VideoIndex, read_indexes
from vjepa_pipe.sources.robots.droid import DroidSource
from vjepa_pipe.sources.robots.episodes import EYES, CameraTrack, Episode, Feature, RobotSource, pose_column
from vjepa_pipe.sources.robots.lerobot import LeRobotSource
from vjepa_pipe.sources.robots.lerobot_names import name_faults, with_lerobot_names
from vjepa_pipe.sources.rows import Rows

__all__ = [
    "EYES",
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "ActionClasses",
    "CameraTrack",
    "DroidSource",
    "Episode",
    "EpisodeError",
    "Feature",
    "LeRobotSource",
    "RobotSource",
    "Rows",
    "Segments",
    "SourceError",
    "VideoIndex",
    "cache_dir",
    "name_faults",
    "pose_column",
    "read_actions",
    "read_all",
    "read_indexes",
    "read_rows",
    "read_webvid",
    "read_webvid_original",
    "with_lerobot_names",
]
