"""What every token mask offers, so that one collator serves them all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from vjepa_pipe.config.data import CONVENTIONS
from vjepa_pipe.masks.indices import TokenIndices, cut_to_shortest

BoolGrid = npt.NDArray[np.bool_]
"""`[T, H, W]` over a clip's tokens: True where the encoder sees one, False where it is predicted."""


class MaskGenerator(ABC):
    """Draws the masks of a batch in three steps.

        size = masks.draw_size(step)                              # one for the whole batch
        grids = masks.draw_clips(size, clips, rng)                # one per clip
        enc, pred = masks.collate(grids, rngs)                    # indices of equal length

    Nothing is remembered between calls: the same step and generators give the same masks.

    Args:
        grid: Tokens of a clip along time, height and width.
        convention: How a batch's masks are cut to one length: `strict` drops tokens at random,
            `reference` drops the latest, as vjepa2 `src/masks/multiseq_multiblock3d.py` does.

    Raises:
        ValueError: `grid` holds a zero or `convention` is unknown.
    """

    def __init__(self, grid: tuple[int, int, int], convention: str) -> None:
        if len(grid) != 3 or min(grid) < 1:
            raise ValueError(
                f"grid must hold at least one token along time, height and width (got {tuple(grid)}): "
                "frames_per_clip must be >= mask.tubelet_size and img_size >= mask.patch_size"
            )
        if convention not in CONVENTIONS:
            raise ValueError(f"mask.convention must be one of {', '.join(CONVENTIONS)} (got {convention!r})")
        self.grid = (int(grid[0]), int(grid[1]), int(grid[2]))
        self.convention = convention

    @property
    def num_tokens(self) -> int:
        """Tokens in a clip."""
        time, height, width = self.grid
        return time * height * width

    @abstractmethod
    def draw_size(self, seed: int) -> tuple[int, int, int]:
        """The size that all clips of a batch share, in tokens along time, height and width.

        Args:
            seed: The step, equal on all ranks so that they share the size.
        """

    @abstractmethod
    def draw_clips(self, size: tuple[int, int, int], clips: int, rng: np.random.Generator) -> BoolGrid:
        """The masks of several clips.

        Args:
            size: What `draw_size` gave for this batch.
            clips: How many.
            rng: The only source of randomness.

        Returns:
            `[clips, T, H, W]`, True where the encoder sees a token.
        """

    def draw_clip(self, size: tuple[int, int, int], rng: np.random.Generator) -> BoolGrid:
        """The mask of one clip, `[T, H, W]`; see `draw_clips`."""
        (grid,) = self.draw_clips(size, 1, rng)
        return np.asarray(grid, dtype=bool)

    def collate(
        self,
        grids: Sequence[BoolGrid],
        rngs: Sequence[np.random.Generator],
        at_most: tuple[int, int] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The token indices of a batch, cut to the clip that has the fewest.

        A token's index is `(t * H + y) * W + x`.

        Args:
            grids: `[T, H, W]` masks of the clips.
            rngs: One generator per clip, for the tokens that `strict` drops; `reference` draws none.
            at_most: The fewest tokens that the encoder sees and that are predicted in any clip, where more
                clips than these are cut to one length.

        Returns:
            `(enc, pred)`, `[clips, kept]` int64 each: the tokens that the encoder sees and those that
            are predicted. Rows are sorted, and the two share no token.

        Raises:
            ValueError: There is no clip, or the number of generators differs.
        """
        enc_at_most, pred_at_most = at_most or (None, None)
        enc = self._cut([np.flatnonzero(grid) for grid in grids], rngs, enc_at_most)
        pred = self._cut([np.flatnonzero(~grid) for grid in grids], rngs, pred_at_most)
        return torch.from_numpy(enc), torch.from_numpy(pred)

    def _cut(
        self, rows: Sequence[TokenIndices], rngs: Sequence[np.random.Generator], at_most: int | None = None
    ) -> TokenIndices:
        if not rows or len(rows) != len(rngs):
            raise ValueError(f"grids and rngs must have one entry per clip (got {len(rows)} and {len(rngs)})")
        return cut_to_shortest(rows, rngs if self.convention == "strict" else None, at_most)
