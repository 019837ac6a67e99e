"""Still images as clips of one repeated frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from vjepa_pipe.files.regular_file import open_regular
from vjepa_pipe.video import VideoError, as_video_error


def read_still(path: str, frames: int) -> npt.NDArray[np.uint8]:
    """An image as a clip: uint8 RGB `[frames, H, W, 3]`, one frame in memory however many are asked for.

    Raises:
        VideoError: If the file cannot be read as an image.
    """
    try:
        with as_video_error(path), open_regular(path) as file, Image.open(file) as image:
            pixels = np.asarray(image.convert("RGB"))
    except VideoError as error:
        raise VideoError(path, f"not a readable image: {error.__cause__}") from error.__cause__
    return np.broadcast_to(pixels, (frames, *pixels.shape))
