"""Small videos of every kind that matters to a reader, by name."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from footage import cut_start, with_hidden_frames, write_video

GROUPS_OF_12 = {"g": "12", "bf": "2"}
FAST_VP9 = {"g": "20", "deadline": "realtime", "cpu-used": "8"}
UNEVEN = np.cumsum(np.random.default_rng(0).integers(1, 9, 48)).tolist()

KINDS: dict[str, dict[str, Any]] = {
    "intra.mp4": {"options": {"g": "1"}},
    "b_frames.mp4": {"options": GROUPS_OF_12},
    "long_group.mp4": {"num_frames": 300, "options": {"g": "250", "bf": "3"}},
    "open_groups.mp4": {"options": {"g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0:b-adapt=0"}},
    "refreshed.mp4": {"options": {"x264-params": "intra-refresh=1:keyint=16:bframes=0"}},
    "fragmented.mp4": {"options": GROUPS_OF_12, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "index_first.mp4": {"options": GROUPS_OF_12, "container_options": {"movflags": "faststart"}},
    "with_sound.mov": {"options": GROUPS_OF_12, "audio": True},
    "one_frame.mp4": {"num_frames": 1},
    "uneven.mp4": {"pts": [t - UNEVEN[0] for t in UNEVEN], "time_base": Fraction(1, 100), "options": GROUPS_OF_12},
    "uneven.mkv": {"pts": [t - UNEVEN[0] for t in UNEVEN], "time_base": Fraction(1, 100), "options": GROUPS_OF_12},
    "late_start.mp4": {"pts": list(range(500, 548)), "options": GROUPS_OF_12},
    "late_start.mkv": {"pts": list(range(500, 548)), "options": GROUPS_OF_12},
    "early_start.mkv": {"pts": list(range(-10, 38)), "options": GROUPS_OF_12},
    "ntsc.mp4": {"fps": Fraction(30000, 1001), "options": GROUPS_OF_12},
    "quarter_left.mp4": {"rotation": 90, "options": GROUPS_OF_12},
    "quarter_right.mp4": {"rotation": -90, "options": GROUPS_OF_12},
    "upside_down.mp4": {"rotation": 180, "options": GROUPS_OF_12},
    "vp8.webm": {"codec": "libvpx", "options": FAST_VP9},
    "vp9.webm": {"codec": "libvpx-vp9", "options": FAST_VP9},
    "h264.flv": {"options": GROUPS_OF_12},
    "h265.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=12"}},
    "mpeg4.mp4": {"codec": "mpeg4", "options": GROUPS_OF_12},
    "mpeg4.avi": {"codec": "mpeg4", "options": GROUPS_OF_12},
    "h264.avi": {"options": GROUPS_OF_12},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "wmv2.asf": {"codec": "wmv2", "options": {"g": "12"}},
    "odd_444.mp4": {"size": (101, 67), "pix_fmt": "yuv444p"},
    "odd_width.webm": {"size": (101, 68), "codec": "libvpx-vp9", "options": FAST_VP9},
    "odd_height.webm": {"size": (100, 67), "codec": "libvpx-vp9", "options": FAST_VP9},
    "no_multiple_of_16.mp4": {"size": (134, 90)},
    "chroma_422.mp4": {"pix_fmt": "yuv422p"},
    "full_range.mp4": {"pix_fmt": "yuvj420p"},
    "bt709.mp4": {"colorspace": 1},
    "ten_bit.mp4": {"pix_fmt": "yuv420p10le"},
    "interlaced.mp4": {"options": {**GROUPS_OF_12, "flags": "+ilme+ildct"}},
    "h264.ts": {"options": GROUPS_OF_12},
    "mpeg2.ts": {"codec": "mpeg2video", "options": GROUPS_OF_12},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": GROUPS_OF_12},
    "raw.h264": {"options": GROUPS_OF_12},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "10"}},
}
CUT = range(5)  # frames of cut.mp4 that are stored but not shown
HIDDEN = (5, 6, 17, 30)  # frames of hidden.webm that are stored but not shown


def write_kind(name: str, folder: Path) -> Path:
    """Write a video of `KINDS`, or `cut.mp4` or `hidden.webm`, into a folder unless it is there; give its path."""
    path = folder / name
    if path.exists():
        return path
    if name == "cut.mp4":
        return cut_start(write_kind("b_frames.mp4", folder), path, ticks=512 * len(CUT))  # a frame lasts 512 ticks
    if name == "hidden.webm":
        return with_hidden_frames(write_kind("vp8.webm", folder), path, HIDDEN)
    return write_video(path, **KINDS[name])


def shown(name: str) -> list[int]:
    """The counters that a kind of video shows, in order."""
    missing = {"cut.mp4": CUT, "hidden.webm": HIDDEN}.get(name, ())
    count = KINDS[name].get("num_frames", 48) if name in KINDS else 48
    return [number for number in range(count) if number not in missing]


ALL_KINDS = (*KINDS, "cut.mp4", "hidden.webm")
