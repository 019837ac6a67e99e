"""Several sources counted as one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe.sampling import ConcatIndices, SequentialOrder

sizes_lists = st.lists(st.integers(0, 5), min_size=1, max_size=8)


@given(sizes=sizes_lists)
def test_indices_walk_the_sources_in_order(sizes):
    indices = ConcatIndices(sizes)
    everything = [(source, row) for source, size in enumerate(sizes) for row in range(size)]
    assert [indices[i] for i in range(len(indices))] == everything


@given(sizes=sizes_lists.filter(any))
def test_a_sequential_order_repeats_itself_every_epoch(sizes):
    order, rows = SequentialOrder(sizes, seed=4), sum(sizes)
    everything = [(source, row) for source, size in enumerate(sizes) for row in range(size)]
    assert [order.at(position)[3:] for position in range(rows)] == everything
    assert [order.at(position + rows) for position in range(rows)] == [order.at(position) for position in range(rows)]


@pytest.mark.parametrize("sizes", [[3, 0, 2], [0], [10**12]])
def test_indices_outside_are_refused(sizes):
    indices = ConcatIndices(sizes)
    for index in (-1, sum(sizes), sum(sizes) + 7):
        with pytest.raises(ValueError, match=re.escape(f"index must be from 0 to {sum(sizes) - 1} (got {index})")):
            indices[index]


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match=re.escape("sizes must name at least one source (got none)")):
        ConcatIndices([])
    with pytest.raises(ValueError, match=re.escape("sizes[1] must be >= 0 (got -2)")):
        ConcatIndices([3, -2])
