"""Multi-block 3D masks: the predictor's tokens are the union of blocks, the encoder sees the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.mask import MultiBlockConfig
from vjepa_pipe.config.mask_sizes import block_faults, block_size, context_slices
from vjepa_pipe.masks.base import BoolGrid, MaskGenerator
from vjepa_pipe.masks.indices import complement

_MAX_TRIES = 10_000


class MultiBlock3D(MaskGenerator):
    """The masks of V-JEPA (Bardes et al., 2024), after vjepa2 `src/masks/multiseq_multiblock3d.py`.

    Block sizes, and what becomes of given block positions, are those of the published code; of frames that are not
    square, with `strict`, see `block_size`.
    Positions are drawn per clip from its own generator; the published code draws them from torch's
    global one.

    Args:
        config: Sizes and number of the blocks, and what is done with the rest.
        grid: Tokens of a clip along time, height and width.
        convention: How a batch is cut to one length; see `MaskGenerator`. `strict` also refuses two
            settings that the published code reads in its own way: both complements at once (there
            `full_complement` wins), and a `max_temporal_keep` below one time slice (there one slice
            is kept).

    Raises:
        ValueError: The settings can leave the encoder or the predictor without a token, or
            contradict each other; the text names the field.
    """

    def __init__(self, config: MultiBlockConfig, grid: tuple[int, int, int], convention: str) -> None:
        super().__init__(grid, convention)
        self.config = config
        for fault in block_faults(config, self.grid, convention, "mask"):
            raise ValueError(fault)
        self._context_slices = context_slices(config, self.grid, convention)

    def draw_size(self, seed: int) -> tuple[int, int, int]:
        """The block size of a batch; the published code counts batches for its seed, from 0.

        Args:
            seed: The step, equal on all ranks so that they share the size.

        Returns:
            Tokens along time, height and width.
        """
        source = torch.Generator()
        source.manual_seed(seed)
        temporal, spatial, aspect = (torch.rand(1, generator=source).item() for _ in range(3))
        return block_size(self.config, self.grid, (temporal, spatial, aspect), self.convention)

    def draw_positions(
        self, size: tuple[int, int, int], rng: np.random.Generator, clips: int = 1
    ) -> npt.NDArray[np.int64]:
        """Where the blocks of some clips lie, uniformly over all places where they fit.

        Returns:
            `[clips, num_blocks, 3]`: the first row, column and time slice of each block.
        """
        length, height, width = size
        places = (self.grid[1] - height + 1, self.grid[2] - width + 1, self.grid[0] - length + 1)
        return rng.integers(places, size=(clips, self.config.num_blocks, 3))

    def mask(self, size: tuple[int, int, int], positions: npt.ArrayLike) -> BoolGrid:
        """The masks that blocks at these positions give.

        Args:
            size: Tokens of a block along time, height and width.
            positions: `[..., blocks, 3]`, as `draw_positions` gives them.

        Returns:
            `[..., T, H, W]`, True where the encoder sees a token; it may hold none.
        """
        starts, (length, height, width) = np.asarray(positions), size
        rows, columns, slices = (
            _inside(starts[..., axis], extent, places)
            for axis, (extent, places) in enumerate(
                ((height, self.grid[1]), (width, self.grid[2]), (length, self.grid[0]))
            )
        )
        time = 1 if length == self.grid[0] else self.grid[0]  # blocks as long as the clip: one slice says it all
        # Blocks that cover a token, counted: a product over the axes, summed over the blocks.
        areas = (slices[..., :time, None] * rows[..., None, :]).reshape(*rows.shape[:-1], -1)
        covered = np.swapaxes(areas, -1, -2) @ columns
        grid: BoolGrid = covered.reshape(*starts.shape[:-2], time, *self.grid[1:]) == 0
        grid = np.repeat(grid, self.grid[0] // time, axis=-3)
        grid[..., self._context_slices :, :, :] = False
        return grid

    def draw_clips(self, size: tuple[int, int, int], clips: int, rng: np.random.Generator) -> BoolGrid:
        """The masks of several clips; those in which the encoder would see nothing are drawn again.

        Args:
            size: What `draw_size` gave for this batch.
            clips: How many.
            rng: The only source of randomness.

        Returns:
            `[clips, T, H, W]`, True where the encoder sees a token.

        Raises:
            RuntimeError: 10,000 draws left the encoder nothing (the published code goes on forever).
        """
        grids = self.mask(size, self.draw_positions(size, rng, clips))
        for _ in range(_MAX_TRIES):
            empty = np.flatnonzero(~grids.any(axis=(1, 2, 3)))
            if not empty.size:
                return grids
            grids[empty] = self.mask(size, self.draw_positions(size, rng, len(empty)))
        raise RuntimeError(
            f"mask.num_blocks={counted(self.config.num_blocks, 'block')} of {size} covered all {self.grid} tokens in "
            f"{_MAX_TRIES} draws; use fewer blocks or a smaller mask.spatial_scale"
        )

    def collate(
        self,
        grids: Sequence[BoolGrid],
        rngs: Sequence[np.random.Generator],
        at_most: tuple[int, int] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The token indices of a batch, cut to the clip that has the fewest.

        Tokens cut off are in neither mask, unless a complement takes them in: `full_complement`
        predicts what the cut encoder mask leaves, `pred_full_complement` shows the encoder what the
        cut predictor mask leaves. `max_keep` bounds the encoder's mask before that, and before
        `inv_block` swaps the two.

        Args:
            grids: `[T, H, W]` masks of the clips.
            rngs: One generator per clip, for the tokens that `strict` drops; `reference` draws none.
            at_most: See `MaskGenerator.collate`.

        Returns:
            `(enc, pred)`, `[clips, kept]` int64 each, rows sorted, with no token in both.

        Raises:
            ValueError: There is no clip, the number of generators differs, or a mask is empty.
        """
        enc_at_most, pred_at_most = at_most or (None, None)
        if self.config.max_keep is not None:
            enc_at_most = min(self.config.max_keep, enc_at_most or self.config.max_keep)
        enc = self._cut([np.flatnonzero(grid) for grid in grids], rngs, enc_at_most)
        pred = self._cut([np.flatnonzero(~grid) for grid in grids], rngs, pred_at_most)
        if self.config.full_complement:
            pred = complement(enc, self.num_tokens)
        elif self.config.pred_full_complement:
            enc = complement(pred, self.num_tokens)
        first, second = (pred, enc) if self.config.inv_block else (enc, pred)
        return torch.from_numpy(first), torch.from_numpy(second)


def _inside(starts: npt.NDArray[np.int64], extent: int, places: int) -> npt.NDArray[np.float32]:
    """1 for the places that blocks of this extent cover along one axis, else 0; `[..., places]`."""
    offsets = np.arange(places) - starts[..., None]
    return ((offsets >= 0) & (offsets < extent)).astype(np.float32)
