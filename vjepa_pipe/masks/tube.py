"""Tube masks: the same places hidden in every time slice."""

from __future__ import annotations

import numpy as np

from vjepa_pipe.config.mask import TubeConfig
from vjepa_pipe.config.mask_sizes import seen_places, tube_faults
from vjepa_pipe.masks.base import BoolGrid, MaskGenerator


class Tube(MaskGenerator):
    """Hides places of the frame for the whole clip (jepa `src/masks/random_tube.py`).

    Of the P places of a frame the encoder sees int(P * (1 - ratio)), so no batch needs cutting.

    Args:
        config: The share of places that are hidden.
        grid: Tokens of a clip along time, height and width.
        convention: `strict` takes the ratio as the decimal that is written: .9 of 100 places leaves
            10. `reference` computes in floating point, as published: 100 * (1 - .9) is just below
            10, which leaves 9.

    Raises:
        ValueError: The ratio leaves no place for the encoder, or hides none.
    """

    def __init__(self, config: TubeConfig, grid: tuple[int, int, int], convention: str) -> None:
        super().__init__(grid, convention)
        self._places = self.grid[1] * self.grid[2]
        for fault in tube_faults(config, self.grid, convention, "mask"):
            raise ValueError(fault)
        self._seen = seen_places(config, self.grid, convention)

    def draw_size(self, seed: int) -> tuple[int, int, int]:  # noqa: ARG002 (nothing is drawn)
        """The size of a tube, one place over the whole clip; the same for every step."""
        return self.grid[0], 1, 1

    def draw_clips(self, size: tuple[int, int, int], clips: int, rng: np.random.Generator) -> BoolGrid:  # noqa: ARG002
        """The masks of several clips, the same in every time slice; `[clips, T, H, W]`, True where the encoder sees."""
        frames = np.zeros((clips, self._places), dtype=bool)
        order = rng.permuted(np.broadcast_to(np.arange(self._places), frames.shape), axis=1)
        np.put_along_axis(frames, order[:, : self._seen], True, axis=1)
        return np.broadcast_to(frames.reshape(clips, 1, *self.grid[1:]), (clips, *self.grid))
