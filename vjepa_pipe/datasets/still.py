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
            pixels = np.asarray(image.convert("RGB"))
    except VideoError as error:
        raise VideoError(path, f"not a readable image: {error.__cause__ or error.reason}") from error.__cause__
    return np.broadcast_to(pixels, (frames, *pixels.shape))


def _opened(path: str, file: RemoteFile | None) -> IO[bytes]:
    return open_regular(path) if file is None else io.BufferedReader(file.stream())
