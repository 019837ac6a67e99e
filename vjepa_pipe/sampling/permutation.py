"""A random order of n things that is computed one place at a time and never stored."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import numpy.typing as npt

MAX_SIZE = 2**62

# A Feistel network on so few numbers reaches only some of their orders, so these are listed instead.
_LISTED_SIZE = 64
_ROUNDS = 8
_LOW_64_BITS = 2**64 - 1
# Odd constants with well-spread bits: the multipliers of the splitmix64 finaliser.
_MULTIPLY_1 = 0xBF58476D1CE4E5B9
_MULTIPLY_2 = 0x94D049BB133111EB


class KeyedPermutation:
    """A bijection of 0 .. size - 1 onto itself, chosen by a key.

    A Feistel network permutes the numbers of 2 * half bits, the smallest such range that holds
    `size` (Luby and Rackoff, 1988). A result outside `size` is permuted again until it falls inside,
    which keeps the map a bijection (cycle walking: Black and Rogaway, 2002). The range is below
    4 * size, so a call needs fewer than four walks on average. Up to size 64 the numbers are sorted
    by a keyed hash instead. Either way memory does not grow with `size`.

    Args:
        size: How many numbers are permuted, from 1 to 2**62.
        key: An integer from 0 to 2**128 - 1, such as `keyed_hash` gives.

    Raises:
        ValueError: `size` or `key` is out of range.
    """

    def __init__(self, size: int, key: int) -> None:
        if not 1 <= size <= MAX_SIZE:
            raise ValueError(f"size must be from 1 to 2**62 (got {size})")
        if not 0 <= key < 2**128:
            raise ValueError(f"key must be from 0 to 2**128 - 1 (got {key})")
        self.size = int(size)
        key_bytes = key.to_bytes(16, "little")
        self._listed = _sorted_by_hash(self.size, key_bytes) if self.size <= _LISTED_SIZE else None
        # Size 300 needs 9 bits, so half is 5 and the network permutes 0 .. 1023.
        self._half = ((self.size - 1).bit_length() + 1) // 2
        digest = hashlib.blake2b(b"rounds", key=key_bytes, digest_size=8 * _ROUNDS).digest()
        self._round_keys: tuple[int, ...] = struct.unpack(f"<{_ROUNDS}Q", digest)

    def __len__(self) -> int:
        return self.size

    def __call__(self, index: int) -> int:
        """Where `index` goes.

        Raises:
            ValueError: `index` is not from 0 to size - 1.
        """
        if not 0 <= index < self.size:
            raise ValueError(f"index must be from 0 to {self.size - 1} (got {index})")
        if self._listed is not None:
            return self._listed[index]
        half, low = self._half, (1 << self._half) - 1
        while True:
            left, right = index >> half, index & low
            for round_key in self._round_keys:
                left, right = right, left ^ self._mixed(right, round_key)
            index = left << half | right
            if index < self.size:
                return index

    def inverse(self, place: int) -> int:
        """What goes to `place`: `self(self.inverse(place)) == place`.

        Raises:
            ValueError: `place` is not from 0 to size - 1.
        """
        if not 0 <= place < self.size:
            raise ValueError(f"place must be from 0 to {self.size - 1} (got {place})")
        if self._listed is not None:
            return self._listed.index(place)
        half, low = self._half, (1 << self._half) - 1
        while True:
            left, right = place >> half, place & low
            for round_key in reversed(self._round_keys):
                left, right = right ^ self._mixed(left, round_key), left
            place = left << half | right
            if place < self.size:
                return place

    def many(self, indices: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Where each of `indices` goes: `[self(i) for i in indices]`, as one array operation.

        Args:
            indices: Integers from 0 to size - 1, of any shape.

        Returns:
            An array of the same shape.

        Raises:
            ValueError: An index is not from 0 to size - 1.
        """
        given = np.asarray(indices, dtype=np.int64)
        outside = given[(given < 0) | (given >= self.size)]
        if outside.size:
            raise ValueError(f"index must be from 0 to {self.size - 1} (got {outside[0]})")
        if self._listed is not None:
            return np.array(self._listed, dtype=np.int64)[given]
        result = given.astype(np.uint64).ravel()
        walking = np.arange(result.size)
        while walking.size:
            result[walking] = self._permute_range(result[walking])
            walking = walking[result[walking] >= self.size]
        return result.astype(np.int64).reshape(given.shape)

    def _mixed(self, number: int, round_key: int) -> int:
        mixed = ((number ^ round_key) * _MULTIPLY_1) & _LOW_64_BITS
        mixed = ((mixed ^ (mixed >> 29)) * _MULTIPLY_2) & _LOW_64_BITS
        return mixed >> (64 - self._half)

    def _permute_range(self, numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        half, low = np.uint64(self._half), np.uint64((1 << self._half) - 1)
        shift = np.uint64(64 - self._half)
        left, right = numbers >> half, numbers & low
        for round_key in self._round_keys:
            mixed = (right ^ np.uint64(round_key)) * np.uint64(_MULTIPLY_1)
            mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(_MULTIPLY_2)
            left, right = right, left ^ (mixed >> shift)
        return left << half | right


def _sorted_by_hash(size: int, key: bytes) -> list[int]:
    def hashed(index: int) -> bytes:
        return hashlib.blake2b(index.to_bytes(1, "little"), key=key, digest_size=16).digest()

    return sorted(range(size), key=hashed)
