"""Quotas: exact in every epoch and over the run."""

from __future__ import annotations

import itertools
import re
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vjepa_pipe.sampling import EpochQuotas

EPOCHS = 300

whole = st.integers(0, 20).map(float)
decimal = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
any_float = st.floats(0, 1e12, allow_subnormal=True)
uneven = st.sampled_from([0.0, 1e-9, 1e-3, 1.0, 1e6])
weight_lists = st.one_of(
    *(st.lists(kind, min_size=1, max_size=12) for kind in (whole, decimal, any_float, uneven, st.just(1.0)))
).filter(any)


def promises(weights, epoch_size, epochs):
    """Assert the three promises, in exact arithmetic, for every epoch."""
    quotas = EpochQuotas(weights, epoch_size)
    exact = [Fraction(repr(weight)) for weight in weights]
    per_epoch = [epoch_size * weight / sum(exact) for weight in exact]
    before = quotas.before(0)
    assert before.dtype == np.int64
    assert not before.any()
    for epoch in range(epochs):
        after = quotas.before(epoch + 1)
        assert (after - before).sum() == epoch_size
        for source, due in enumerate(per_epoch):
            assert abs(after[source] - before[source] - due) < 1
            assert abs(after[source] - (epoch + 1) * due) < 1
        before = after
    return quotas


@given(weights=weight_lists, epoch_size=st.integers(1, 2000) | st.integers(1, 10**9))
@example(weights=[0.335, 0.1, 0.565], epoch_size=7200)
@example(weights=[0.1, 0.2, 0.7], epoch_size=1)
@example(weights=[1.0] * 7, epoch_size=3)
@settings(max_examples=150)
def test_quotas_are_exact_every_epoch_and_over_the_run(weights, epoch_size):
    promises(weights, epoch_size, EPOCHS)


@pytest.mark.parametrize("sources", [1, 2, 3, 4, 5])
def test_quotas_are_exact_for_all_small_weights(sources):
    # Every list of shares of an eighth, over more than a whole period: all cases of ties and cascades.
    for weights in itertools.combinations_with_replacement(range(9), sources):
        if sum(weights) == 8:
            for epoch_size in (1, 2, 3, 4):
                promises([float(weight) for weight in weights], epoch_size, 18)


def test_quotas_repeat_after_a_period():
    quotas = EpochQuotas([0.335, 0.1, 0.565], 7)
    assert quotas.period == 200  # 2.345 draws per epoch are settled after 200
    assert quotas.before(200).tolist() == [469, 140, 791]
    for epoch in range(250):
        assert quotas.of(epoch).tolist() == quotas.of(epoch + 200).tolist() == quotas.of(epoch + 2_000_000).tolist()
    assert quotas.before(2_000_000).tolist() == [4_690_000, 1_400_000, 7_910_000]


def test_decimal_weights_are_taken_as_written():
    # In binary .1 + .2 + .7 is not 1, and 10 * .1 / .7... would leave a remainder.
    quotas = EpochQuotas([0.1, 0.2, 0.7], 10)
    assert quotas.period == 1
    assert quotas.of(12345).tolist() == [1, 2, 7]


@given(weights=weight_lists, epoch_size=st.integers(1, 100), epochs=st.lists(st.integers(0, 120), max_size=8))
@settings(max_examples=60)
def test_epochs_may_be_asked_for_in_any_order(weights, epoch_size, epochs):
    asked = EpochQuotas(weights, epoch_size)
    for epoch in epochs:
        assert asked.of(epoch).tolist() == EpochQuotas(weights, epoch_size).of(epoch).tolist()


def test_forgotten_epochs_are_computed_again(monkeypatch):
    monkeypatch.setattr("vjepa_pipe.sampling.apportionment._REMEMBERED_COUNTS", 1)
    forgetful = EpochQuotas([1.0, 1.0, 2.0, 3.0], 5)
    forward = [forgetful.of(epoch).tolist() for epoch in range(20)]
    assert [forgetful.of(epoch).tolist() for epoch in reversed(range(20))] == forward[::-1]


def test_a_source_without_weight_gets_nothing():
    quotas = EpochQuotas([1.0, 0.0, 3.0, 0], 10)
    assert all(quotas.before(epoch)[[1, 3]].sum() == 0 for epoch in range(50))


def test_fractions_and_numpy_numbers_are_exact():
    exact = EpochQuotas([Fraction(1, 3), Fraction(2, 3)], 3)
    assert (exact.period, exact.of(0).tolist()) == (1, [1, 2])
    assert EpochQuotas(np.array([0.1, 0.9]), 10).period == 1
    huge = EpochQuotas([np.int64(2**62), np.int64(2**62), np.int64(2**62)], 3)
    assert (huge.period, huge.of(0).tolist()) == (1, [1, 1, 1])


def test_a_hundred_thousand_different_weights_are_fast():
    weights = np.random.default_rng(0).random(100_000).tolist()
    quotas = EpochQuotas(weights, 100_000)
    quotas.of(0)
    start = time.perf_counter()
    assert quotas.of(1).sum() == 100_000
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("weights", "epoch_size", "message"),
    [
        ([1.0, -0.5], 10, "weights[1] must be finite and >= 0 (got -0.5)"),
        ([float("nan"), 1.0], 10, "weights[0] must be finite and >= 0 (got nan)"),
        ([1.0, 2.0, float("inf")], 10, "weights[2] must be finite and >= 0 (got inf)"),
        ([0.0, 0.0], 10, "weights must not all be zero (got 2 of them)"),
        ([], 10, "weights must not all be zero (got 0 of them)"),
        ([1.0], 0, "epoch_size must be >= 1 (got 0)"),
    ],
)
def test_bad_arguments_are_refused(weights, epoch_size, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        EpochQuotas(weights, epoch_size)


def test_epochs_before_the_first_are_refused():
    with pytest.raises(ValueError, match=re.escape("epoch must be >= 0 (got -1)")):
        EpochQuotas([1.0], 1).before(-1)
