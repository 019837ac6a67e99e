"""Still images as clips of one repeated frame."""

from __future__ import annotations

import io
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image

from vjepa_pipe.files.regular_file import open_regular
from vjepa_pipe.storage import RemoteFile
from vjepa_pipe.video import VideoError, as_video_error


def read_still(path: str, frames: int, file: RemoteFile | None = None) -> npt.NDArray[np.uint8]:
    """An image as a clip: uint8 RGB `[frames, H, W, 3]`, one frame in memory however many are asked for.

    Args:
        path: The image.
        frames: How many.
        file: The same, if it lies at a URL.

    Raises:
        VideoError: If the file cannot be read as an image.
    """
    try:
        with as_video_error(path), _opened(path, file) as stream, Image.open(stream) as image:
            pixels = rgb(image)
    except VideoError as error:
        raise VideoError(path, f"not a readable image: {error.__cause__ or error.reason}") from error.__cause__
    return np.broadcast_to(pixels, (frames, *pixels.shape))


def rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """The pixels of an image, uint8 RGB `[H, W, 3]`; of 16 bits the upper 8, which Pillow would cut off at 255.

    Raises:
        ValueError: If its pixels are numbers in no known range.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError(f"its pixels are numbers of 32 bits (mode {image.mode}), which are no colours")
    return np.asarray(image.convert("RGB"))


def _opened(path: str, file: RemoteFile | None) -> IO[bytes]:
    return open_regular(path) if file is None else io.BufferedReader(file.stream())
