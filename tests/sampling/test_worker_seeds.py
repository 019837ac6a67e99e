"""Worker seeds, as the published worker init function makes them."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from vjepa_pipe.sampling import lcg_seeds, seed_worker

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "lcg_worker_seeds.json").read_text())["cases"]


@pytest.fixture
def global_generators():
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    random.setstate(before[0])
    np.random.set_state(before[1])
    torch.set_rng_state(before[2])


@pytest.mark.parametrize("case", GOLDEN, ids=lambda c: f"{c['base_seed']}-{c['worker_id']}-{c['rank']}")
def test_seeds_are_the_published_ones(case):
    seeds = lcg_seeds(case["base_seed"], case["worker_id"], case["rank"], count=4)
    assert [str(seed) for seed in seeds] == case["seeds"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda c: f"{c['base_seed']}-{c['worker_id']}-{c['rank']}")
def test_global_generators_are_seeded_as_published(case, global_generators):
    seed_worker(case["worker_id"], case["base_seed"], case["rank"])
    seeds = [int(seed) for seed in case["seeds"]]
    assert torch.initial_seed() == seeds[0]
    assert random.getrandbits(64) == random.Random((seeds[1] << 32) | seeds[2]).getrandbits(64)
    assert np.random.random() == np.random.RandomState(case["numpy_state"]).random()


@pytest.mark.parametrize("base_seed", [0, 239, 2**40 + 7])
def test_no_two_workers_share_a_seed(base_seed):
    ids = [(worker, rank) for worker in range(32) for rank in [*range(256), 65535]]
    for place in range(3):
        assert len({lcg_seeds(base_seed, worker, rank, 3)[place] for worker, rank in ids}) == len(ids)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, 65536, 1), "rank must be from 0 to 65535 (got 65536)"),
        ((0, 65536, 0, 1), "worker_id must be from 0 to 65535 (got 65536)"),
        ((0, 0, -1, 1), "rank must be from 0 to 65535 (got -1)"),
        ((-1, 0, 0, 1), "base_seed must be >= 0 (got -1)"),
    ],
)
def test_what_would_collide_is_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        lcg_seeds(*arguments)
