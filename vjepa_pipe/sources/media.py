"""Which file names are images or videos."""

from __future__ import annotations

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff")
VIDEO_SUFFIXES = (
    ".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp", ".ogv",
)  # fmt: skip


def is_media(name: str) -> bool:
    """Whether a file name ends like an image or a video, in either case."""
    return name.lower().endswith(IMAGE_SUFFIXES + VIDEO_SUFFIXES)


def is_image(name: str) -> bool:
    """Whether a file name ends like an image, in either case."""
    return name.lower().endswith(IMAGE_SUFFIXES)
