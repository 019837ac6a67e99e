"""Generators made from keys."""

from __future__ import annotations

import re

import pytest

from vjepa_pipe.sampling import SampleKey, generator, keyed_hash

KEY = SampleKey(seed=239, epoch=3, position=216_005, source=2, row=1_078_725)


def test_streams_are_the_same_on_every_machine():
    # Recorded once. If these change, every run of every user changes.
    assert keyed_hash("window", *KEY) == 0xACA62E482CE7175BB322B3DB63BFCD35
    assert generator(KEY, "window").bit_generator.random_raw(2).tolist() == [1626487095930222895, 12585091631972946088]


def test_the_same_key_and_purpose_give_the_same_stream():
    assert generator(KEY, "window").random(50).tolist() == generator(KEY, "window").random(50).tolist()


def test_every_part_of_the_key_and_the_purpose_matter():
    keys = [KEY] + [KEY._replace(**{field: getattr(KEY, field) + 1}) for field in KEY._fields]
    first_draws = {generator(key, purpose).random() for key in keys for purpose in ("window", "augment", "")}
    assert len(first_draws) == 6 * 3


def test_lists_of_numbers_of_different_length_do_not_collide():
    # Without the count, (1,) with a purpose that starts with eight zero bytes would be (1, 0).
    assert keyed_hash("\0" * 8 + "a", 1) != keyed_hash("a", 1, 0)
    assert len({keyed_hash("a", *numbers) for numbers in ((), (0,), (0, 0), (1, 0), (0, 1), (-1,))}) == 6


def test_first_draws_over_neighbouring_keys_are_uniform():
    draws = [generator(KEY._replace(position=position), "window").random() for position in range(4000)]
    tenths = [sum(tenth <= 10 * draw < tenth + 1 for draw in draws) for tenth in range(10)]
    # Chi-square with 9 degrees of freedom exceeds 27.9 once in 1000.
    assert sum((count - 400) ** 2 / 400 for count in tenths) < 27.9


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 1.5])
def test_numbers_beyond_64_bits_are_refused(number):
    with pytest.raises(
        ValueError, match=re.escape(f"key numbers must be integers from -2**63 to 2**63 - 1 (got ({number},))")
    ):
        keyed_hash("window", number)
