"""OwnMask: a mask of the user's own, one clip at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.masks.base import BoolGrid, MaskGenerator


class OwnMask(MaskGenerator):
    """Draws with an object that has `draw(rng, grid)`.

    `draw` is given a `numpy.random.Generator`, the only source of its randomness, and the tokens of a clip along time,
    height and width. It gives a bool array or tensor `[T, H, W]`, true where the encoder sees a token; the others are
    predicted.

    Args:
        mask: The object.
        grid: Tokens of a clip along time, height and width.
        convention: As for `MaskGenerator`.

    Raises:
        ConfigError: If what it draws is no such array, or lets the encoder see all tokens or none.
    """

    def __init__(self, mask: Any, grid: tuple[int, int, int], convention: str) -> None:
        super().__init__(grid, convention)
        self._mask = mask
        self._drawn(np.random.default_rng(0))  # what is wrong with it is found before anything is read

    def draw_size(self, seed: int) -> tuple[int, int, int]:  # noqa: ARG002 (each clip is drawn by itself)
        """The whole grid: masks of the user's own share no size."""
        return self.grid

    def draw_clips(self, size: tuple[int, int, int], clips: int, rng: np.random.Generator) -> BoolGrid:  # noqa: ARG002
        """The masks of several clips, `[clips, T, H, W]`, true where the encoder sees a token."""
        return np.stack([self._drawn(rng) for _ in range(clips)])

    def _drawn(self, rng: np.random.Generator) -> BoolGrid:
        given = self._mask.draw(rng, self.grid)
        fault = None
        try:
            drawn = np.asarray(given)
        except ValueError:  # lists of several lengths
            drawn = np.empty((), object)
        if drawn.dtype != np.bool_ or drawn.shape != self.grid:
            fault = f"must give bool {list(self.grid)} (got {drawn.dtype} {list(drawn.shape)})"
        elif not 0 < drawn.sum() < drawn.size:
            fault = f"must let the encoder see some of the {drawn.size} tokens and hide some (got {drawn.sum()})"
        if fault is not None:
            raise ConfigError([f"mask._target_: {type(self._mask).__qualname__}.draw(rng, grid) {fault}"])
        return drawn
