"""How large a block is, and which settings can never give a mask."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from vjepa_pipe.config.mask import MultiBlockConfig

# torch.rand gives float32 multiples of 2**-24 below 1.
_DRAWS = 2**24
_LARGEST_DRAW = (_DRAWS - 1) / _DRAWS


def block_size(
    config: MultiBlockConfig, grid: tuple[int, int, int], draws: tuple[float, float, float]
) -> tuple[int, int, int]:
    """The block that three uniform draws give (vjepa2 `src/masks/multiseq_multiblock3d.py`).

    Worked example, a grid of 8 x 16 x 16 tokens and `spatial_scale` .15: int(256 * .15) = 38 tokens
    of a frame. An aspect ratio of 1.5 makes them round(sqrt(57)) = 8 high and round(sqrt(25.3)) = 5
    wide.

    Args:
        config: Ranges of temporal scale, spatial scale and aspect ratio (height / width).
        grid: Tokens of a clip along time, height and width.
        draws: Where in those three ranges, from 0 to 1.

    Returns:
        Tokens along time (at least 1), height and width.
    """
    time, height, width = grid
    length = max(1, int(time * _between(config.temporal_scale, draws[0])))
    area = int(height * width * _between(config.spatial_scale, draws[1]))
    aspect = _between(config.aspect_ratio, draws[2])
    return length, min(round(math.sqrt(area * aspect)), height), min(round(math.sqrt(area / aspect)), width)


def check_block_sizes(config: MultiBlockConfig, grid: tuple[int, int, int]) -> None:
    """Refuse settings under which some draw gives no block, or a block that leaves no other token.

    Anything less is a mask: blocks of one token, and blocks that cover whole frames but not the
    whole clip.

    Raises:
        ValueError: The text names the field, its value and the grid.
    """
    _, lowest, _ = block_size(config, grid, (0, 0, 0))
    _, _, narrowest = block_size(config, grid, (0, 0, _LARGEST_DRAW))
    if min(lowest, narrowest) == 0:
        side = "high" if lowest == 0 else "wide"
        raise ValueError(
            f"mask.spatial_scale must give blocks of at least one token for every mask.aspect_ratio "
            f"(got {list(config.spatial_scale)} and {list(config.aspect_ratio)}: "
            f"a block can be 0 tokens {side} on a grid of {_text(grid)} tokens)"
        )
    if _can_cover_all(config, grid):
        raise ValueError(
            f"mask.spatial_scale or mask.temporal_scale must leave tokens for the encoder "
            f"(got {list(config.spatial_scale)} and {list(config.temporal_scale)}: "
            f"one block can cover all {_text(grid)} tokens)"
        )


def _can_cover_all(config: MultiBlockConfig, grid: tuple[int, int, int]) -> bool:
    """Whether some draw gives a block as large as the grid.

    A larger scale never makes a block smaller, so only the largest are looked at. A larger aspect
    ratio makes it higher and narrower: the first that is full height is the widest of those.
    """

    def largest(draw: int) -> tuple[int, int, int]:
        return block_size(config, grid, (_LARGEST_DRAW, _LARGEST_DRAW, draw / _DRAWS))

    first_full_height = bisect_left(range(_DRAWS), True, key=lambda draw: largest(draw)[1] == grid[1])
    return first_full_height < _DRAWS and largest(first_full_height) == grid


def _between(bounds: Sequence[float], draw: float) -> float:
    low, high = bounds
    return low + draw * (high - low)


def _text(grid: tuple[int, int, int]) -> str:
    return " x ".join(map(str, grid))
