"""Quotas: exact in every epoch and over the run."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vjepa_pipe.sampling import EpochQuotas
from vjepa_pipe.sampling.rare_sources import RareSources

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
            assert after[source] >= before[source]
            assert abs(after[source] - before[source] - due) < 2
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


def test_quotas_add_up_far_into_a_run():
    quotas = EpochQuotas([0.335, 0.1, 0.565], 7)
    assert quotas.before(200).tolist() == [469, 140, 791]  # 2.345 draws per epoch are settled after 200
    assert quotas.before(2_000_000).tolist() == [4_690_000, 1_400_000, 7_910_000]


def test_a_draw_is_never_taken_back():
    # Floors of prefix sums alone would give the second source one draw after three epochs, none after four.
    draws = [EpochQuotas([0.3, 0.1, 0.6], 1).before(epoch).tolist() for epoch in range(11)]
    assert all(np.diff(draws, axis=0).min(axis=1) >= 0)
    assert draws[10] == [3, 1, 6]


def test_decimal_weights_are_taken_as_written():
    # In binary .1 + .2 + .7 is not 1, and 10 * .1 / .7... would leave a remainder.
    quotas = EpochQuotas([0.1, 0.2, 0.7], 10)
    assert quotas.of(12345).tolist() == [1, 2, 7]


@given(weights=weight_lists, epoch_size=st.integers(1, 100), epochs=st.lists(st.integers(0, 120), max_size=8))
@settings(max_examples=60)
def test_epochs_may_be_asked_for_in_any_order(weights, epoch_size, epochs):
    asked = EpochQuotas(weights, epoch_size)
    for epoch in epochs:
        assert asked.of(epoch).tolist() == EpochQuotas(weights, epoch_size).of(epoch).tolist()


def test_a_source_without_weight_gets_nothing():
    quotas = EpochQuotas([1.0, 0.0, 3.0, 0], 10)
    assert all(quotas.before(epoch)[[1, 3]].sum() == 0 for epoch in range(50))


def test_fractions_and_numpy_numbers_are_exact():
    assert EpochQuotas([Fraction(1, 3), Fraction(2, 3)], 3).of(10**9).tolist() == [1, 2]
    assert EpochQuotas(np.array([0.1, 0.9]), 10).of(10**9).tolist() == [1, 9]
    assert EpochQuotas([np.int64(2**62)] * 3, 3).of(10**9).tolist() == [1, 1, 1]


@pytest.mark.parametrize("epoch_size", [100_000, 1000])
def test_a_jump_passes_no_more_epochs_than_the_rarest_waits(epoch_size, monkeypatch):
    weights = np.random.default_rng(0).integers(50, 1000, 1000).tolist()
    passed = []
    advance = RareSources._advance
    monkeypatch.setattr(RareSources, "_advance", lambda self: (passed.append(1), advance(self))[1])
    draws = EpochQuotas(weights, epoch_size).before(10**9)
    assert draws.sum() == 10**9 * epoch_size
    due = [Fraction(10**9 * epoch_size * weight, sum(weights)) for weight in weights]
    assert all(abs(int(drawn) - expected) < 1 for drawn, expected in zip(draws, due, strict=True))
    longest_wait = sum(weights) / (epoch_size * min(weights))
    assert len(passed) <= (longest_wait + 2 if longest_wait > 1 else 0)


@given(
    shares=st.lists(st.integers(1, 99), min_size=2, max_size=8),
    epochs=st.lists(st.integers(0, 10**6), min_size=1, max_size=6),
)
@settings(max_examples=60)
def test_rare_sources_count_the_same_from_the_start_and_from_half_way(shares, epochs):
    wanderer, walker = RareSources(shares, 100), RareSources(shares, 100)
    walker._memory = 10**9  # never starts half way
    for epoch in epochs:
        near = epoch % 700
        assert wanderer.before(near) == walker.before(near)
        assert wanderer.before(epoch) == RareSources(shares, 100).before(epoch)


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
