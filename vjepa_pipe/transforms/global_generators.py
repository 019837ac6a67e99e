"""Python's, NumPy's and torch's global random generators, for code that draws from them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def global_generators(seed: int) -> Iterator[None]:
    """Within this context the global generators of the CPU start from a seed; afterwards they are as before.

    Args:
        seed: From 0 to 2**63 - 1.
    """
    before = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.default_generator.set_state(before[2])
