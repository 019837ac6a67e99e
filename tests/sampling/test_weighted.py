"""The sampler over ranks: weights respected, no sample on two ranks, full coverage."""

from __future__ import annotations

import copy
import pickle
import re
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader

from vjepa_pipe.sampling import DistributedWeightedSampler, KeyedIndex

WORLDS = (1, 2, 4, 7)


def ranks(weights, world_size, epoch=0, **arguments):
    """What each rank yields in an epoch."""
    samplers = [
        DistributedWeightedSampler(weights, rank=r, world_size=world_size, **arguments) for r in range(world_size)
    ]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    return [list(sampler) for sampler in samplers]


def interleaved(yielded):
    """The global sequence: position p is element p // world of rank p % world."""
    world_size = len(yielded)
    return [yielded[p % world_size][p // world_size] for p in range(sum(map(len, yielded)))]


def assert_drawn(drawn, weights, draws, within=1):
    """Within one of the expected number is its floor or ceil."""
    exact = [Fraction(repr(weight)) for weight in weights]
    total = sum(exact)
    for row, weight in enumerate(exact):
        assert abs(drawn[row] - draws * weight / total) < within, row
    assert sum(drawn.values()) == draws


def per_sample(sources):
    """Weights of the rows of several sources, each with its share, as vjepa2's VideoDataset lists them."""
    return [share / rows for share, rows in sources for _ in range(rows)]


MIXTURES = {
    "recipe": per_sample([(0.335, 12), (0.1, 90), (0.565, 140)]),
    "one source": [1.0] * 101,
    "all different": np.random.default_rng(0).random(60).tolist(),
    "some never": [0.0, 1.0, 2.0, 0.0, 5.0, 1.0],
}


@pytest.mark.parametrize("world_size", WORLDS)
@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("num_samples", [None, 1, 37, 250])
def test_weights_hold_in_every_epoch_and_over_twenty(mixture, num_samples, world_size):
    weights = MIXTURES[mixture]
    draws = num_samples or len(weights)
    samplers = [
        DistributedWeightedSampler(weights, num_samples, rank, world_size, seed=3) for rank in range(world_size)
    ]
    so_far = Counter()
    for epoch in range(20):
        drawn = Counter()
        for sampler in samplers:
            sampler.set_epoch(epoch)
            drawn.update(sampler)
        assert_drawn(drawn, weights, draws, within=2)
        so_far += drawn
        assert_drawn(so_far, weights, (epoch + 1) * draws)


@pytest.mark.parametrize("epoch", [0, 3])
@pytest.mark.parametrize("mixture", MIXTURES)
def test_the_global_sequence_does_not_depend_on_the_world_size(mixture, epoch):
    alone = interleaved(ranks(MIXTURES[mixture], 1, epoch, num_samples=100))
    for world_size in WORLDS[1:]:
        assert interleaved(ranks(MIXTURES[mixture], world_size, epoch, num_samples=100)) == alone


@pytest.mark.parametrize("world_size", WORLDS)
def test_equal_weights_put_every_row_on_one_rank_once(world_size):
    for epoch in range(5):
        yielded = ranks([0.25] * 101, world_size, epoch)
        assert sorted(row for rows in yielded for row in rows) == list(range(101))
        lengths = [len(rows) for rows in yielded]
        assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("world_size", WORLDS)
def test_lengths_are_what_is_yielded(world_size):
    for rank in range(world_size):
        sampler = DistributedWeightedSampler([1.0, 2.0, 3.0], 10, rank, world_size)
        assert len(sampler) == len(list(sampler))


def test_rows_left_out_of_an_epoch_come_first_in_the_next():
    first, second = (interleaved(ranks([1.0] * 10, 2, epoch, num_samples=7)) for epoch in (0, 1))
    assert set(range(10)) - set(first) < set(second)


def test_one_row_on_eight_ranks_leaves_seven_without():
    yielded = ranks([0.5], 8)
    assert yielded == [[0]] + [[]] * 7


def test_an_epoch_is_repeated_until_the_next_is_set():
    sampler = DistributedWeightedSampler([1.0] * 50, rank=0, world_size=1)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert sorted(sampler) == sorted(first)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_seeds_and_epochs_are_not_interchangeable():
    at_one = interleaved(ranks([1.0] * 50, 1, epoch=1, seed=0))
    assert at_one != interleaved(ranks([1.0] * 50, 1, epoch=0, seed=1))


def test_rank_and_world_size_come_from_the_launcher(monkeypatch):
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    sampler = DistributedWeightedSampler([1.0] * 10)
    assert (sampler.rank, sampler.world_size, len(sampler)) == (3, 4, 2)
    assert DistributedWeightedSampler([1.0] * 10, rank=1).rank == 1


def test_a_dataloader_takes_it():
    rows = torch.arange(10)
    sampler = DistributedWeightedSampler(torch.ones(10), rank=1, world_size=2)
    loader = DataLoader(rows, batch_size=2, sampler=sampler)
    assert len(loader) == 3
    assert torch.cat(list(loader)).tolist() == list(sampler)


def test_rows_carry_their_key():
    sampler = DistributedWeightedSampler([1.0] * 10, rank=1, world_size=2, seed=7)
    sampler.set_epoch(3)
    (first, second), *_ = BatchSampler(sampler, 2, drop_last=False)
    assert (first.seed, first.epoch, first.position) == (7, 3, 31)
    assert (second.seed, second.epoch, second.position) == (7, 3, 33)
    assert isinstance(first, int) and first == next(iter(sampler)) and [*range(10)][first] == int(first)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda index: pickle.loads(pickle.dumps(index))])
def test_a_row_is_copied_with_its_key(duplicate):
    again = duplicate(KeyedIndex(4, seed=7, epoch=3, position=31))
    assert type(again) is KeyedIndex
    assert (int(again), again.seed, again.epoch, again.position) == (4, 7, 3, 31)


def test_a_row_less_some_rows_keeps_its_key():
    less = KeyedIndex(4, seed=7, epoch=3, position=31) - 3
    assert (less, less.seed, less.epoch, less.position) == (1, 7, 3, 31)
    assert KeyedIndex(4, 7, 3, 31) - 0.5 == 3.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": []}, "weights must be a list of at least one number (got shape (0,))"),
        ({"weights": [[1.0]]}, "weights must be a list of at least one number (got shape (1, 1))"),
        ({"weights": [0.0, 0.0]}, "weights must not all be zero (got 2 of them)"),
        ({"weights": [1.0, float("nan")]}, "weights[1] must be finite and >= 0 (got nan)"),
        ({"weights": [-1.0, 1.0]}, "weights[0] must be finite and >= 0 (got -1.0)"),
        ({"weights": [1.0], "num_samples": 0}, "num_samples must be >= 1 (got 0)"),
        ({"weights": [1.0], "rank": 2}, "rank must be from 0 to 1 (got 2)"),
        ({"weights": [1.0], "rank": -1}, "rank must be from 0 to 1 (got -1)"),
        ({"weights": [1.0], "world_size": 0}, "world_size must be >= 1 (got 0)"),
        ({"weights": [1.0], "seed": -1}, "seed must be from 0 to 2**63 - 1 (got -1)"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        DistributedWeightedSampler(**{"rank": 0, "world_size": 2, **arguments})


def test_epochs_before_the_first_are_refused():
    with pytest.raises(ValueError, match=re.escape("epoch must be >= 0 (got -1)")):
        DistributedWeightedSampler([1.0], rank=0, world_size=1).set_epoch(-1)
