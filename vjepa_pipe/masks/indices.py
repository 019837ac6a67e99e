"""Lists of token indices, brought to one length for a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

TokenIndices = npt.NDArray[np.int64]
"""Sorted token indices: `[tokens]` of one clip, or `[clips, tokens]`."""


def cut_to_shortest(
    rows: Sequence[TokenIndices],
    rngs: Sequence[np.random.Generator] | None,
    at_most: int | None = None,
) -> TokenIndices:
    """Cut every clip's indices to as many as the shortest clip has.

    Args:
        rows: Sorted token indices of each clip.
        rngs: One generator per clip: each keeps a random subset, so that no part of the clip is
            favoured. None keeps the first indices, as published; since indices run through time
            first, that drops the latest tokens.
        at_most: Cut further, to this many.

    Returns:
        `[clips, kept]` int64, rows sorted.

    Raises:
        ValueError: A clip has no index at all.
    """
    shortest = min(range(len(rows)), key=lambda clip: rows[clip].size)
    keep = rows[shortest].size
    if keep == 0:
        raise ValueError(f"clip {shortest} of the batch must have at least one token in each mask (got 0)")
    if at_most is not None:
        keep = min(keep, at_most)
    if rngs is None:
        return np.stack([row[:keep] for row in rows])
    return np.stack([_random_subset(row, keep, rng) for row, rng in zip(rows, rngs, strict=True)])


def complement(indices: TokenIndices, num_tokens: int) -> TokenIndices:
    """The tokens that `indices` leaves out.

    Args:
        indices: `[clips, kept]`, from 0 to num_tokens - 1.
        num_tokens: Tokens in a clip.

    Returns:
        `[clips, num_tokens - kept]` int64, rows sorted.
    """
    left_out = np.ones((len(indices), num_tokens), dtype=bool)
    np.put_along_axis(left_out, indices, False, axis=1)
    return np.nonzero(left_out)[1].reshape(len(indices), -1)


def _random_subset(row: TokenIndices, keep: int, rng: np.random.Generator) -> TokenIndices:
    if keep == row.size:
        return row
    kept = np.zeros(row.size, dtype=bool)
    kept[rng.random(row.size).argpartition(keep)[:keep]] = True
    return row[kept]
