"""Seeds of a data worker, for third-party transforms that draw from global generators.

The package's own draws come from `rng.generator` and need none of this.
"""

from __future__ import annotations

import random

import numpy as np

_MULTIPLIER = 6364136223846793005
_LOW_64_BITS = 2**64 - 1
# Worker and rank are packed into 16 bits each: rank 65536 would be worker 1 of rank 0.
_LIMIT = 2**16


def lcg_seeds(base_seed: int, worker_id: int, rank: int, count: int) -> list[int]:
    """A sequence of 64-bit seeds for one worker of one rank.

    The start `base_seed << 32 | worker_id << 16 | rank` runs through a linear congruential generator
    modulo 2**64, as in vjepa2 `src/datasets/utils/worker_init_fn.py`. Bases that differ by a multiple
    of 2**32 give the same seeds.

    Args:
        base_seed: Seed shared by all workers, at least 0.
        worker_id: Worker within its rank, from 0 to 65535.
        rank: Global rank, from 0 to 65535.
        count: Seeds wanted.

    Returns:
        `count` integers from 0 to 2**64 - 1.

    Raises:
        ValueError: An argument is out of range.
    """
    if base_seed < 0:
        raise ValueError(f"base_seed must be >= 0 (got {base_seed})")
    for name, value in (("worker_id", worker_id), ("rank", rank)):
        if not 0 <= value < _LIMIT:
            raise ValueError(f"{name} must be from 0 to {_LIMIT - 1} (got {value})")
    state = base_seed << 32 | worker_id << 16 | rank
    seeds = []
    for _ in range(count):
        state = (state * _MULTIPLIER + 1) & _LOW_64_BITS
        seeds.append(state)
    return seeds


def seed_worker(worker_id: int, base_seed: int, rank: int) -> None:
    """Seed torch, `random` and numpy in a data worker, as the published worker init function does.

    torch gets the first seed, `random` the second and third joined to 128 bits, numpy a
    `SeedSequence` of the three arguments.

    Args:
        worker_id: Worker within its rank, from 0 to 65535.
        base_seed: Seed shared by all workers, at least 0.
        rank: Global rank, from 0 to 65535.

    Raises:
        ValueError: An argument is out of range.
    """
    import torch

    for_torch, high, low = lcg_seeds(base_seed, worker_id, rank, count=3)
    torch.manual_seed(for_torch)
    random.seed(high << 32 | low)
    np.random.seed(np.random.SeedSequence([base_seed, worker_id, rank]).generate_state(4))
