"""The schedule behind the quotas."""

from __future__ import annotations

import random

import pytest

from vjepa_pipe.sampling.pfair import PfairSchedule


def assert_fair(shares, whole, slots):
    schedule = PfairSchedule(shares, whole)
    served = [0] * len(shares)
    for slot in range(1, slots + 1):
        schedule.advance()
        turns = [now - before for now, before in zip(schedule.served, served, strict=True)]
        served = list(schedule.served)
        assert set(turns) <= {0, 1}
        assert sum(turns) * whole == sum(shares)
        for task, share in enumerate(shares):
            assert abs(served[task] * whole - slot * share) < whole
    assert schedule.slot == slots


# The first three go wrong when overlapping windows do not come first among equal deadlines.
@pytest.mark.parametrize(
    ("shares", "whole"),
    [
        ([12, 12, 3, 7, 7, 12, 12, 3, 7], 15),
        ([12, 12, 15, 8, 8, 9, 8], 18),
        ([6, 9, 5, 5, 9, 5, 9], 12),
        ([0, 0], 1),
        ([0, 5, 5], 10),
        ([3, 3, 2], 8),
        ([10**30, 10**30 - 1, 1], 2 * 10**30),
    ],
)
def test_known_hard_shares_are_fair(shares, whole):
    assert_fair(shares, whole, min(2 * whole, 100))


def test_random_shares_are_fair():
    draw = random.Random(0)
    for _ in range(1500):
        whole = draw.randint(2, 30)
        shares = [draw.randint(0, whole - 1) for _ in range(draw.randint(1, 9))]
        shares.append(-sum(shares) % whole)
        assert_fair(shares, whole, whole)


def test_a_share_is_served_in_its_windows():
    schedule = PfairSchedule([3, 5], 8)
    slots = []
    for slot in range(8):
        before = schedule.served[0]
        schedule.advance()
        slots += [slot] * (schedule.served[0] - before)
    # The windows of 3/8: slots 0 to 2, 2 to 5, 5 to 7.
    assert 0 <= slots[0] <= 2 <= slots[1] <= 5 <= slots[2] <= 7
