"""How far the encoder's tokens are from those that are predicted."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

Distances = npt.NDArray[np.float32]


def context_distance(enc: torch.Tensor, pred: torch.Tensor, grid: tuple[int, int, int]) -> torch.Tensor:
    """The distance of each of the encoder's tokens to the nearest that is predicted, by a distance transform.

    Squared distances are minimised along one axis after the other (Felzenszwalb and Huttenlocher, 2012), for all clips
    at once. They are whole numbers, so nothing is rounded before the square root.

    Args:
        enc: int64 `[clips, K]`, the tokens that the encoder sees.
        pred: int64 `[clips, K']`, at least one, the tokens that are predicted.
        grid: Tokens of a clip along time, height and width.

    Returns:
        float32 `[clips, K]`, Euclidean, in tokens along time, height and width alike: at least 1 where a mask's two
        halves share no token.
    """
    clips = np.arange(len(pred))[:, None]
    squared: Distances = np.full((math.prod(grid), len(pred)), np.inf, np.float32)
    squared[pred.numpy(), clips] = 0
    squared = squared.reshape(*grid, len(pred))
    for axis in range(3):
        squared = _nearest_along(axis, squared)
    return torch.from_numpy(np.sqrt(squared.reshape(-1, len(pred))[enc.numpy(), clips]))


def _nearest_along(axis: int, squared: Distances) -> Distances:
    """For each place the least sum, over its line along `axis`, of a place's value and of the squared way there."""
    nearest = squared.copy()
    there, here = np.moveaxis(squared, axis, 0), np.moveaxis(nearest, axis, 0)
    for step in range(1, len(there)):
        if step**2 >= nearest.max():
            break
        np.minimum(here[step:], there[:-step] + step**2, out=here[step:])
        np.minimum(here[:-step], there[step:] + step**2, out=here[:-step])
    return nearest
