"""Random generators made from keys, the same on every machine and in every process."""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from vjepa_pipe.sampling.key import SampleKey


def keyed_hash(purpose: str, *numbers: int) -> int:
    """A 128-bit number that depends on every argument and on nothing else.

    BLAKE2b of the count of numbers, the numbers (8 bytes each) and the purpose, so no two lists of
    arguments are read from the same bytes.

    Args:
        purpose: What the number is for; different purposes give unrelated numbers.
        *numbers: Integers from -2**63 to 2**63 - 1.

    Returns:
        An integer from 0 to 2**128 - 1.

    Raises:
        ValueError: A number is not an integer in that range.
    """
    try:
        packed = struct.pack(f"<{len(numbers) + 1}q", len(numbers), *numbers)
    except struct.error as error:
        raise ValueError(f"key numbers must be integers from -2**63 to 2**63 - 1 (got {numbers})") from error
    return int.from_bytes(hashlib.blake2b(packed + purpose.encode(), digest_size=16).digest(), "little")


def generator(key: SampleKey, purpose: str) -> np.random.Generator:
    """The random generator of one sample for one purpose.

    Two purposes of one sample draw from unrelated streams: a new draw in the augmentation leaves the
    clip window as it was.

    Args:
        key: The sample.
        purpose: What is drawn, such as `"window"` or `"augment"`.

    Returns:
        A new generator at the start of its stream (Philox: Salmon et al., SC 2011).

    Raises:
        ValueError: The key holds something that is not a 64-bit integer.
    """
    return np.random.Generator(np.random.Philox(key=keyed_hash(purpose, *key)))
