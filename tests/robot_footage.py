"""What tests need to know about the synthetic robot's pictures: where its marker is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def marker_place(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Centre `[x, y]` of the red marker in a frame [H, W, 3], in pixels; the first pixel's centre is (0.5, 0.5).

    Raises:
        AssertionError: If there is no marker.
    """
    red = frame[..., 0].astype(float) - np.maximum(frame[..., 1], frame[..., 2])
    weight = np.clip(red - 40, 0, None)
    assert weight.sum() > 500, "no red marker in this frame"
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]] + 0.5
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
