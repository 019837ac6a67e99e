"""Still images as clips of one repeated frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from vjepa_pipe.video import VideoError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".tif", ".tiff"})


def is_image(path: str) -> bool:
    """Whether a row names a still image, by its suffix."""
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def read_still(path: str, frames: int) -> npt.NDArray[np.uint8]:
    """An image as a clip: uint8 RGB `[frames, H, W, 3]`, one frame in memory however many are asked for.

    Raises:
        VideoError: If the file cannot be read as an image.
    """
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise VideoError(path, f"not a readable image: {error}") from error
    return np.broadcast_to(pixels, (frames, *pixels.shape))
