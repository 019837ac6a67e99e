"""What reading a sample cost, and what came of it."""

from __future__ import annotations

import time
from typing import NamedTuple

from vjepa_pipe.figures import Figures


class SampleStats(NamedTuple):
    """Cost of one sample; times are in seconds.

    Attributes:
        frames_used: Different frames of the file in the sample.
        frames_decoded: Frames decoded to get them; None where the decoder does not tell.
        open_sec: Opening the file and indexing its packets.
        decode_sec: Seeking and decoding.
        transform_sec: Augmentation.
        figures: What its clips were like; see `vjepa_pipe.figures.FIGURES`.
        repeats: Why frames repeat, where the file has fewer frames per second than the clip; else empty.
    """

    frames_used: int
    frames_decoded: int | None
    open_sec: float
    decode_sec: float
    transform_sec: float
    figures: Figures = {}
    repeats: str = ""


class Stopwatch:
    """A stop watch: each call gives the seconds since the one before."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def __call__(self) -> float:
        last, self._last = self._last, time.perf_counter()
        return self._last - last
