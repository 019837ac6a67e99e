"""Which samples there are: one module per layout on disk.

This folder opens annotation files, tables of numbers and lists of folders; it never opens a video. (The synthetic
ones write some.)
"""

from __future__ import annotations

from vjepa_pipe.config.folders import cache_dir
from vjepa_pipe.sources.annotations import read_rows
from vjepa_pipe.sources.droid import DroidSource
from vjepa_pipe.sources.episodes import EYES, CameraTrack, Episode, RobotSource
from vjepa_pipe.sources.errors import EpisodeError, SourceError
from vjepa_pipe.sources.lerobot import LeRobotSource
from vjepa_pipe.sources.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from vjepa_pipe.sources.rows import Rows
from vjepa_pipe.sources.synthetic import DIRECTIONS, write_synthetic_videos
from vjepa_pipe.sources.synthetic_lerobot import write_synthetic_lerobot
from vjepa_pipe.sources.synthetic_robot import write_synthetic_droid
from vjepa_pipe.sources.video_index import VideoIndex, read_indexes
from vjepa_pipe.sources.webvid import read_webvid, read_webvid_original

__all__ = [
    "DIRECTIONS",
    "EYES",
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "CameraTrack",
    "DroidSource",
    "Episode",
    "EpisodeError",
    "LeRobotSource",
    "RobotSource",
    "Rows",
    "SourceError",
    "VideoIndex",
    "cache_dir",
    "read_indexes",
    "read_rows",
    "read_webvid",
    "read_webvid_original",
    "write_synthetic_droid",
    "write_synthetic_lerobot",
    "write_synthetic_videos",
]
