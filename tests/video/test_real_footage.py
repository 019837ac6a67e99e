"""Both decoders on films that were not made for these tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from footage import real_footage

from vjepa_pipe.video import DecordDecoder, PyavDecoder

FACTS = {  # name: frames, rate, height, width
    "bigbuckbunny.mp4": (132, 25.0, 720, 1280),
    "bikes.mp4": (250, 25.0, 272, 640),
    "carphone_distorted.mp4": (120, 30000 / 1001, 144, 176),
    "carphone_pristine.mp4": (120, 30000 / 1001, 144, 176),
}


def test_the_films_are_installed() -> None:
    assert [path.name for path in real_footage()] == sorted(FACTS)


@pytest.mark.parametrize("path", real_footage(), ids=lambda path: path.name)
def test_decoders_agree(path: Path) -> None:
    frames = FACTS[path.name][0]
    rng = np.random.default_rng(frames)
    with PyavDecoder().open(str(path)) as one, DecordDecoder().open(str(path)) as other:
        for reader in (one, other):
            assert (reader.num_frames, reader.fps, reader.height, reader.width) == FACTS[path.name]
        for indices in (rng.integers(0, frames, 6), [frames - 1, 0, 7, 7]):
            assert np.array_equal(one.read(indices), other.read(indices))
