"""How large masks are, and which settings can never give one: arithmetic that the checks and the masks share."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fractions import Fraction

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.mask import MultiBlockConfig, TubeConfig

Grid = tuple[int, int, int]
"""Tokens of a clip along time, height and width."""

RAREST_CONTEXT = 1e-3
"""Blocks that leave a corner free more rarely than this take thousands of draws for each clip."""

# torch.rand gives float32 multiples of 2**-24 below 1.
_DRAWS = 2**24
_LARGEST_DRAW = (_DRAWS - 1) / _DRAWS


def block_size(
    config: MultiBlockConfig, grid: Grid, draws: tuple[float, float, float], convention: str
) -> tuple[int, int, int]:
    """The block that three uniform draws give (vjepa2 `src/masks/multiseq_multiblock3d.py`).

    Worked example, a grid of 8 x 16 x 16 tokens and `spatial_scale` .15: int(256 * .15) = 38 tokens
    of a frame. An aspect ratio of 1.5 makes them round(sqrt(57)) = 8 high and round(sqrt(25.3)) = 5
    wide.

    A side that is longer than the frame's is cut to it, as published: a block of .7 of 8 x 32 tokens, 13 x 13, becomes
    8 x 13, .4 of them. Frames that are not square, which have no released masks, keep the share with `strict`: the
    aspect ratio goes only as far as the block fits, 8 x 22.

    Args:
        config: Ranges of temporal scale, spatial scale and aspect ratio (height / width).
        grid: Tokens of a clip along time, height and width.
        draws: Where in those three ranges, from 0 to 1.
        convention: As `mask.convention`.

    Returns:
        Tokens along time (at least 1), height and width.
    """
    time, height, width = grid
    length = max(1, int(time * _between(config.temporal_scale, draws[0])))
    area = int(height * width * _between(config.spatial_scale, draws[1]))
    aspect = _between(config.aspect_ratio, draws[2])
    if convention == "strict" and height != width and area:
        aspect = min(max(aspect, area / width**2), height**2 / area)
    return length, min(round(math.sqrt(area * aspect)), height), min(round(math.sqrt(area / aspect)), width)


def context_slices(config: MultiBlockConfig, grid: Grid, convention: str) -> int:
    """Time slices, from the first, of which the encoder may see tokens; the published code keeps one at least."""
    slices = int(grid[0] * config.max_temporal_keep)
    return max(1, slices) if convention == "reference" else slices


def seen_places(config: TubeConfig, grid: Grid, convention: str) -> int:
    """Places of a frame that a tube mask leaves to the encoder.

    `reference` computes in floating point, as published: 100 * (1 - .9) is just below 10, which leaves 9.
    """
    hidden = config.ratio if convention == "reference" else Fraction(repr(float(config.ratio)))
    return int(grid[1] * grid[2] * (1 - hidden))


def tube_faults(config: TubeConfig, grid: Grid, convention: str, where: str) -> Iterator[str]:
    """A line if a tube mask leaves no place for the encoder, or hides none; `where` is the mask's field."""
    seen, places = seen_places(config, grid, convention), grid[1] * grid[2]
    if not 1 <= seen < places:
        yield (
            f"{where}.ratio must leave some places of a frame and hide some "
            f"(got {config.ratio}, which leaves {seen} of {places})"
        )


def block_faults(config: MultiBlockConfig, grid: Grid, convention: str, where: str) -> Iterator[str]:
    """A line for each way in which blocks can leave the encoder or the predictor nothing.

    Anything less is a mask: blocks of one token, and blocks that cover whole frames but not the whole clip.

    Args:
        config: Sizes and number of the blocks.
        grid: Tokens of a clip along time, height and width.
        convention: As `mask.convention`.
        where: The mask's field, such as `mask.masks.short`.
    """
    _, lowest, _ = block_size(config, grid, (0, 0, 0), convention)
    _, _, narrowest = block_size(config, grid, (0, 0, _LARGEST_DRAW), convention)
    if min(lowest, narrowest) == 0:
        side = "high" if lowest == 0 else "wide"
        yield (
            f"{where}.spatial_scale must give blocks of at least one token for every {where}.aspect_ratio "
            f"(got {list(config.spatial_scale)} and {list(config.aspect_ratio)}: "
            f"a block can be 0 tokens {side} on a grid of {_text(grid)} tokens)"
        )
    elif _can_cover_all(config, grid, convention):
        yield (
            f"{where}.spatial_scale or {where}.temporal_scale must leave tokens for the encoder "
            f"(got {list(config.spatial_scale)} and {list(config.temporal_scale)}: "
            f"one block can cover all {_text(grid)} tokens)"
        )
    elif (chance := _chance_of_a_free_corner(config, grid, convention)) < RAREST_CONTEXT:
        yield (
            f"{where}.num_blocks must leave tokens for the encoder (got {config.num_blocks}: so many blocks leave a "
            f"corner of {_text(grid)} tokens free in {chance:.1g} of all draws): "
            f"use fewer blocks or a smaller {where}.spatial_scale"
        )
    if context_slices(config, grid, convention) == 0:
        yield (
            f"{where}.max_temporal_keep must leave at least one of {counted(grid[0], 'time slice')} "
            f"(got {config.max_temporal_keep})"
        )
    if convention == "strict" and config.full_complement and config.pred_full_complement:
        yield f"{where}.full_complement and {where}.pred_full_complement must not both be true"


def _chance_of_a_free_corner(config: MultiBlockConfig, grid: Grid, convention: str) -> float:
    """How often all blocks of a clip leave the first token free, for the block sizes that do so most rarely.

    A corner is the token that the fewest places of a block cover, one of all that there are. The largest blocks have
    the fewest places; which aspect ratio has, is tried.
    """
    draws = ((_LARGEST_DRAW, _LARGEST_DRAW, _LARGEST_DRAW * i / 64) for i in range(65))
    sizes = {block_size(config, grid, draw, convention) for draw in draws}
    places = min(math.prod(all_ - own + 1 for all_, own in zip(grid, size, strict=True)) for size in sizes)
    return float((1 - 1 / places) ** config.num_blocks)


def _can_cover_all(config: MultiBlockConfig, grid: Grid, convention: str) -> bool:
    """Whether some draw gives a block as large as the grid.

    A larger scale never makes a block smaller, so only the largest are looked at. A larger aspect
    ratio makes it higher and narrower: the first that is full height is the widest of those.
    """

    def largest(draw: int) -> tuple[int, int, int]:
        return block_size(config, grid, (_LARGEST_DRAW, _LARGEST_DRAW, draw / _DRAWS), convention)

    first_full_height = bisect_left(range(_DRAWS), True, key=lambda draw: largest(draw)[1] == grid[1])
    return first_full_height < _DRAWS and largest(first_full_height) == grid


def _between(bounds: Sequence[float], draw: float) -> float:
    low, high = bounds
    return low + draw * (high - low)


def _text(grid: Grid) -> str:
    return " x ".join(map(str, grid))
