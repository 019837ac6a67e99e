"""Which samples there are: one module per layout on disk.

This folder opens annotation files and lists folders; it never opens a video. (`synthetic` writes some.)
"""

from __future__ import annotations

from vjepa_pipe.config.folders import cache_dir
from vjepa_pipe.sources.annotations import read_rows
from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from vjepa_pipe.sources.rows import Rows
from vjepa_pipe.sources.synthetic import DIRECTIONS, write_synthetic_videos
from vjepa_pipe.sources.webvid import read_webvid, read_webvid_original

__all__ = [
    "DIRECTIONS",
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Rows",
    "SourceError",
    "cache_dir",
    "read_rows",
    "read_webvid",
    "read_webvid_original",
    "write_synthetic_videos",
]
