"""The global order of samples."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vjepa_pipe.sampling import SampleKey, SampleOrder

# The mixture of the released V-JEPA 2 recipes, on small sources.
WEIGHTS, SIZES, EPOCH = [0.335, 0.1, 0.565], [40, 7, 300], 120


def rows_drawn(order, first_epoch, epochs):
    start = first_epoch * order.epoch_size
    sources, rows = order.at_many(np.arange(start, start + epochs * order.epoch_size))
    return Counter(zip(sources.tolist(), rows.tolist(), strict=True))


def assert_drawn(drawn, weights, sizes, draws, within=1):
    """Within one of the expected number is its floor or ceil."""
    total = sum(Fraction(repr(weight)) for weight in weights)
    for source, (weight, size) in enumerate(zip(weights, sizes, strict=True)):
        for row in range(size):
            due = draws * Fraction(repr(weight)) / total / size
            assert abs(drawn[source, row] - due) < within, (source, row)
    assert sum(drawn.values()) == draws


def test_weights_hold_for_every_row_in_every_epoch_and_over_the_run():
    order = SampleOrder(WEIGHTS, SIZES, EPOCH, seed=239)
    so_far = Counter()
    for epoch in range(20):
        drawn = rows_drawn(order, epoch, 1)
        assert_drawn(drawn, WEIGHTS, SIZES, EPOCH, within=2)
        so_far += drawn
        assert_drawn(so_far, WEIGHTS, SIZES, (epoch + 1) * EPOCH)


@given(
    sources=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 12)), min_size=1, max_size=5).filter(
        lambda sources: any(weight for weight, _ in sources)
    ),
    epoch_size=st.integers(1, 40),
    seed=st.integers(0, 2**63 - 1),
)
@settings(max_examples=50)
def test_weights_hold_for_any_mixture(sources, epoch_size, seed):
    weights = [float(weight) for weight, _ in sources]
    sizes = [size for _, size in sources]
    order = SampleOrder(weights, sizes, epoch_size, seed)
    for epoch in (0, 1, 2, 9):
        assert_drawn(rows_drawn(order, epoch, 1), weights, sizes, epoch_size, within=2)
        assert_drawn(rows_drawn(order, 0, epoch + 1), weights, sizes, (epoch + 1) * epoch_size)


def test_rows_left_out_of_an_epoch_come_first_in_the_next():
    order = SampleOrder([1.0], [100], epoch_size=96, seed=5)
    first, second = rows_drawn(order, 0, 1), rows_drawn(order, 1, 1)
    left_out = {(0, row) for row in range(100)} - set(first)
    assert len(left_out) == 4
    assert left_out <= set(second)
    # In particular none of the epoch's rows comes twice.
    assert max(first.values()) == max(second.values()) == 1


def test_equal_weights_and_a_full_epoch_are_every_row_once():
    order = SampleOrder([2, 3], [2, 3], epoch_size=5)
    for epoch in range(10):
        assert rows_drawn(order, epoch, 1) == Counter([(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)])


def test_epochs_are_shuffled_differently_and_mix_the_sources():
    order = SampleOrder([1.0, 1.0], [500, 500], epoch_size=1000, seed=1)
    orders = [[(key.source, key.row) for key in map(order.at, range(1000 * e, 1000 * (e + 1)))] for e in range(3)]
    assert orders[0] != orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(orders[2])
    for epoch in orders:
        # Of the first 200 samples, a fair shuffle puts 100 +- 6.3 in each source.
        assert abs(sum(source for source, _ in epoch[:200]) - 100) < 26


def test_seeds_give_different_orders():
    sequences = {tuple(map(SampleOrder(WEIGHTS, SIZES, EPOCH, seed).at, range(EPOCH))) for seed in range(50)}
    assert len({tuple((key.source, key.row) for key in sequence) for sequence in sequences}) == 50
    # The published sampler seeds by seed + epoch, so seed 1 starts where seed 0 is after an epoch.
    zero, one = SampleOrder(WEIGHTS, SIZES, EPOCH, 0), SampleOrder(WEIGHTS, SIZES, EPOCH, 1)
    assert [zero.at(EPOCH + i)[3:] for i in range(EPOCH)] != [one.at(i)[3:] for i in range(EPOCH)]


def test_a_key_says_where_it_stands():
    order = SampleOrder(WEIGHTS, SIZES, EPOCH, seed=239)
    key = order.at(5 * EPOCH + 17)
    assert isinstance(key, SampleKey)
    assert (key.seed, key.epoch, key.position) == (239, 5, 5 * EPOCH + 17)
    assert 0 <= key.row < SIZES[key.source]
    assert {type(number) for number in key} == {int}
    assert order.at(np.int64(617)) == key


def test_the_order_is_the_same_on_every_machine():
    # Recorded once. If these change, every run of every user changes.
    order = SampleOrder(WEIGHTS, SIZES, EPOCH, seed=239)
    expected = [(2, 240), (2, 211), (2, 233), (1, 5), (2, 178)]
    assert [order.at(position)[3:] for position in (0, 1, 2, 120, 10**9)] == expected


def test_positions_may_be_asked_for_in_any_order():
    forward = [SampleOrder(WEIGHTS, SIZES, EPOCH, 3).at(position) for position in range(8 * EPOCH)]
    order = SampleOrder(WEIGHTS, SIZES, EPOCH, 3)
    shuffled = np.random.default_rng(0).permutation(8 * EPOCH).tolist()
    assert all(order.at(position) == forward[position] for position in shuffled)


def test_arrays_and_single_positions_agree():
    order = SampleOrder([0.2, 0.0, 0.5, 0.3], [5, 0, 70, 11], epoch_size=13, seed=8)
    positions = np.random.default_rng(1).integers(0, 400, 300)
    sources, rows = order.at_many(positions)
    assert list(zip(sources, rows, strict=True)) == [order.at(position)[3:] for position in positions]
    assert [array.size for array in order.at_many([])] == [0, 0]


def test_a_run_of_1e9_samples_costs_nothing():
    order = SampleOrder(WEIGHTS, [10**9, 10**10, 10**11], epoch_size=10**9, seed=0)
    assert order.at(123 * 10**9 + 456).epoch == 123


def test_orders_survive_pickling():
    order = SampleOrder(WEIGHTS, SIZES, EPOCH, 3)
    order.at(1000)
    assert pickle.loads(pickle.dumps(order)).at(2000) == order.at(2000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 1.0], [5, 0], 4), "sizes[1] must be >= 1 (got 0), as weights[1] is 1.0"),
        (([1.0, 0.0], [5, -1], 4), "sizes[1] must be >= 0 (got -1)"),
        (([1.0, 0.0], [5], 4), "weights and sizes must have one entry per source (got 2 and 1)"),
        (([0.0, 0.0], [5, 5], 4), "weights must not all be zero (got 2 of them)"),
        (([1.0, float("nan")], [5, 5], 4), "weights[1] must be finite and >= 0 (got nan)"),
        (([1.0], [5], 0), "epoch_size must be >= 1 (got 0)"),
        (([1.0], [5], 4, -1), "seed must be from 0 to 2**63 - 1 (got -1)"),
        (([1.0], [5], 4, 2**63), "seed must be from 0 to 2**63 - 1 (got 9223372036854775808)"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        SampleOrder(*arguments)


def test_positions_before_the_first_are_refused():
    order = SampleOrder([1.0], [5], 4)
    with pytest.raises(ValueError, match=re.escape("position must be >= 0 (got -1)")):
        order.at(-1)
    with pytest.raises(ValueError, match=re.escape("position must be >= 0 (got -2)")):
        order.at_many([3, -2])


@given(weights=st.lists(st.integers(0, 5), min_size=3, max_size=3).filter(any), epoch_size=st.integers(1, 200))
@settings(max_examples=30)
def test_positions_of_a_row_are_where_it_stands(weights, epoch_size):
    order = SampleOrder([float(weight) for weight in weights], [3, 70, 1], epoch_size, seed=5)
    for epoch in (0, 1, 7):
        places = range(epoch * epoch_size, (epoch + 1) * epoch_size)
        for source, row in ((0, 0), (0, 2), (1, 13), (2, 0)):
            assert order.positions(source, row, epoch) == [p for p in places if order.at(p)[3:] == (source, row)]
