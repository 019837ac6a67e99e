"""The keyed permutation."""

from __future__ import annotations

import re
from collections import Counter
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe.sampling import KeyedPermutation, keyed_hash
from vjepa_pipe.sampling.permutation import MAX_SIZE


@pytest.mark.parametrize("size", [*range(1, 301), 1023, 1024, 1025, 4096, 4097])
def test_every_number_comes_once(size):
    permutation = KeyedPermutation(size, keyed_hash("test", size))
    assert sorted(permutation(i) for i in range(size)) == list(range(size))
    assert len(permutation) == size


@pytest.mark.parametrize("size", [10**6, 2**20, 2**20 + 1])
def test_every_number_of_a_million_comes_once(size):
    result = KeyedPermutation(size, keyed_hash("test", size)).many(np.arange(size))
    assert (np.bincount(result, minlength=size) == 1).all()


@given(
    size=st.integers(1, 300) | st.integers(1, MAX_SIZE),
    key=st.integers(0, 2**128 - 1),
    where=st.lists(st.floats(0, 1, exclude_max=True), max_size=20),
)
def test_arrays_and_single_numbers_agree(size, key, where):
    permutation = KeyedPermutation(size, key)
    indices = [min(int(place * size), size - 1) for place in where]
    results = permutation.many(np.array(indices, dtype=np.int64))
    assert results.tolist() == [permutation(i) for i in indices]
    assert all(0 <= result < size for result in results)
    assert [permutation.inverse(result) for result in results.tolist()] == indices


def test_arrays_keep_their_shape():
    assert KeyedPermutation(100, 7).many(np.arange(24).reshape(2, 3, 4)).shape == (2, 3, 4)
    assert KeyedPermutation(20, 7).many(np.arange(6).reshape(2, 3)).shape == (2, 3)
    assert KeyedPermutation(100, 7).many([]).shape == (0,)


@pytest.mark.parametrize("size", [3, 4, 5])
def test_every_order_of_a_few_is_equally_likely(size):
    trials = 200 * factorial(size)
    orders = Counter()
    for trial in range(trials):
        permutation = KeyedPermutation(size, keyed_hash("orders", trial))
        orders[tuple(permutation(i) for i in range(size))] += 1
    assert len(orders) == factorial(size)
    freedom = factorial(size) - 1
    chi_square = sum((count - 200) ** 2 / 200 for count in orders.values())
    assert chi_square < freedom + 4 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("size", [65, 100, 255])
def test_two_neighbours_fall_on_every_pair_of_places_equally_often(size):
    # A list of 4000 keys, 64 cells: places are grouped by eighths to keep the expected counts high.
    cells = Counter()
    trials = 4000
    for trial in range(trials):
        permutation = KeyedPermutation(size, keyed_hash("pairs", trial))
        cells[permutation(0) * 8 // size, permutation(1) * 8 // size] += 1
    in_eighth = [sum(place * 8 // size == eighth for place in range(size)) for eighth in range(8)]
    chi_square = 0.0
    for first in range(8):
        for second in range(8):
            expected = trials * in_eighth[first] * (in_eighth[second] - (first == second)) / (size * (size - 1))
            chi_square += (cells[first, second] - expected) ** 2 / expected
    assert chi_square < 63 + 4 * (2 * 63) ** 0.5


def test_different_keys_give_different_orders():
    orders = {tuple(KeyedPermutation(1000, keyed_hash("test", key)).many(np.arange(1000))) for key in range(100)}
    assert len(orders) == 100


def test_the_order_is_the_same_on_every_machine():
    # Recorded once. If these change, every run of every user changes.
    assert [KeyedPermutation(10, 1)(i) for i in range(10)] == [3, 8, 1, 6, 0, 9, 2, 7, 5, 4]
    assert [KeyedPermutation(1000, 1)(i) for i in range(5)] == [838, 771, 681, 519, 484]


@pytest.mark.parametrize(
    ("size", "key", "message"),
    [
        (0, 0, "size must be from 1 to 2**62 (got 0)"),
        (2**62 + 1, 0, "size must be from 1 to 2**62 (got 4611686018427387905)"),
        (5, -1, "key must be from 0 to 2**128 - 1 (got -1)"),
        (5, 2**128, "key must be from 0 to 2**128 - 1 (got 340282366920938463463374607431768211456)"),
    ],
)
def test_bad_arguments_are_refused(size, key, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        KeyedPermutation(size, key)


@pytest.mark.parametrize("size", [5, 500])
@pytest.mark.parametrize("index", [-1, 500])
def test_indices_outside_are_refused(size, index):
    permutation = KeyedPermutation(size, 1)
    message = re.escape(f"index must be from 0 to {size - 1} (got {index})")
    with pytest.raises(ValueError, match=message):
        permutation(index)
    with pytest.raises(ValueError, match=message):
        permutation.many([0, index])
