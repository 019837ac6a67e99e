"""Rotary position embedding with one table for all layers.

transformers computes sines and cosines anew in each layer, for queries and for keys, and keeps them all for the
backward pass; they are the same numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Table = tuple[Tensor, Tensor]
"""Cosines and sines, `[B or 1, 1, N, head size]`."""


def rotary_table(tokens: Tensor, grid: tuple[int, int], head_size: int, dtype: torch.dtype) -> Table:
    """The rotation of each token (vjepa2 `src/models/utils/modules.py`).

    A third of a head's numbers, rounded down to pairs, turns with the token's time, row and column each; the rest does
    not turn. As published, the two numbers of a pair turn by angles of neighbouring frequencies.

    Args:
        tokens: `[B or 1, N]`, places of tokens: time, then rows, then columns.
        grid: Tokens of a frame along height and width.
        head_size: Numbers of a head.
        dtype: Of the queries: the published frequencies are rounded to it.
    """
    height, width = grid
    turning = 2 * (head_size // 3 // 2)
    frequencies = torch.arange(turning // 2, dtype=dtype, device=tokens.device)
    frequencies /= turning / 2.0
    frequencies = 1.0 / 10000**frequencies
    places = (tokens // (height * width), tokens // width % height, tokens % width)
    angles = [(place.unsqueeze(-1) * frequencies).repeat(1, 1, 2) for place in places]
    still = angles[0].new_zeros(*tokens.shape, head_size - 3 * turning)
    turned = torch.cat([*angles, still], dim=-1).unsqueeze(1)
    return turned.cos(), turned.sin()


def rotated(queries_or_keys: Tensor, table: Table) -> Tensor:
    """Queries or keys, `[B, heads, N, head size]`, turned to their places."""
    cosines, sines = table
    first, second = queries_or_keys[..., ::2], queries_or_keys[..., 1::2]
    return queries_or_keys * cosines + torch.stack((-second, first), dim=-1).flatten(-2) * sines


def share_table(layer: Any) -> None:
    """Let a layer of transformers' VJEPA2 take a table in the place of `position_mask`."""
    layer.attention.get_position_ids = _table
    layer.attention.apply_rotary_embeddings = rotated


def _table(hidden_states: Tensor, masks: Table) -> Table:  # noqa: ARG001 (transformers' signature)
    return masks
