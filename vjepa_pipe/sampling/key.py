"""The name of one sample: five numbers from which everything about it follows."""

from __future__ import annotations

from typing import NamedTuple


class SampleKey(NamedTuple):
    """One sample of one run.

    Attributes:
        seed: The experiment's seed, from 0 to 2**63 - 1.
        epoch: Epoch the sample belongs to, from 0.
        position: Place in the global sequence of the whole run, over all ranks, from 0. It does not
            start again with an epoch.
        source: Source the sample comes from, from 0.
        row: Row of that source, from 0.
    """

    seed: int
    epoch: int
    position: int
    source: int
    row: int
