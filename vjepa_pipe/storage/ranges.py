"""Several ranges of an object, in as few requests as pays: what lies between two is read too if that is faster."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.storage.answers import Answer, Facts

LEAST_GAP, FIRST_GAP, MOST_GAP = 16 << 10, 1 << 20, 8 << 20
"""Bytes: bounds of the gap that is worth a request, and what it is before requests have been timed."""

LARGEST = 16 << 20
"""Bytes of one request: of more, a slow store would not be done within the time-out."""

MEMORY = 0.98
"""Weight of the requests before each new one."""

ENOUGH = 8
"""Requests that are timed before their times are believed."""


class RequestCost:
    """What requests to a store take: a time for each, its latency, and a time for each byte.

    Both are those of the straight line through the sizes and times of the last requests.
    """

    def __init__(self) -> None:
        self._sums, self._seen, self._lock = np.zeros(5), 0, threading.Lock()

    def add(self, size: int, seconds: float) -> None:
        """Take note of a request."""
        with self._lock:
            self._sums = MEMORY * self._sums + (1, size, seconds, size * size, size * seconds)
            self._seen += 1

    @property
    def gap(self) -> int:
        """Bytes that come in the time that one more request takes: latency x bandwidth."""
        count, sizes, seconds, squares, products = self._sums.tolist()
        spread, slope = count * squares - sizes * sizes, count * products - sizes * seconds
        if self._seen < ENOUGH or spread <= 0 or slope <= 0:
            return FIRST_GAP
        latency = (seconds - sizes * slope / spread) / count
        return int(np.clip(latency * spread / slope, LEAST_GAP, MOST_GAP))


costs: defaultdict[str, RequestCost] = defaultdict(RequestCost)
"""Those of each bucket or server, as this process has seen it."""


class Reads(Protocol):
    """See `Storage.read_range`."""

    def __call__(self, url: str, start: int, end: int, known: Facts) -> Answer: ...


def read_ranges(read: Reads, url: str, ranges: NDArray[np.int64], known: Facts) -> list[bytes]:
    """The bytes of ranges.

    Args:
        read: Makes a request.
        url: The object.
        ranges: First byte and size of each; int64 [ranges, 2].
        known: What the object must still be.

    Raises:
        ObjectError: If it cannot be read, or is another one by now.
        StorageError: If its store does not answer.
    """
    cost = costs["/".join(url.split("/", 3)[:3])]
    found = [b""] * len(ranges)
    for group in _groups(ranges, cost.gap):
        start, end = int(ranges[group, 0].min()), int(ranges[group].sum(axis=1).max())
        parts = []
        for at in range(start, end, LARGEST):
            started = time.monotonic()
            parts.append(read(url, at, min(at + LARGEST, end), known).data)
            cost.add(len(parts[-1]), time.monotonic() - started)
        data = memoryview(b"".join(parts))
        for one in group:
            at, size = ranges[one].tolist()
            found[one] = bytes(data[at - start : at - start + size])
    return found


def _groups(ranges: NDArray[np.int64], gap: int) -> Sequence[NDArray[np.intp]]:
    """The numbers of ranges that are read together, in the order of their places."""
    order = np.argsort(ranges[:, 0], kind="stable")
    starts, ends = ranges[order, 0], np.maximum.accumulate(ranges[order].sum(axis=1))
    return np.split(order, np.flatnonzero(starts[1:] - ends[:-1] > gap) + 1)
