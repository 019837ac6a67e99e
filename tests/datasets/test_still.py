"""Images as clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vjepa_pipe.datasets.still import read_still
from vjepa_pipe.video import VideoError

SHADES = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_of_16_bits_the_upper_8_are_read(tmp_path: Path, name: str) -> None:
    Image.fromarray(SHADES.astype(np.uint16) * 257).save(tmp_path / name)
    clip = read_still(str(tmp_path / name), 2)
    assert clip.shape == (2, 8, 8, 3) and all(np.array_equal(clip[1, ..., c], SHADES) for c in range(3))


def test_numbers_in_no_known_range_are_no_image(tmp_path: Path) -> None:
    Image.fromarray(SHADES.astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(VideoError, match=r"a\.tif: not a readable image: .*32 bits \(mode F\), which are no colours"):
        read_still(str(tmp_path / "a.tif"), 1)
