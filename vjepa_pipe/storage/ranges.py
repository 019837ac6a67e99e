"""Several ranges of an object, in as few requests as pays: what lies between two is read too if that is faster."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from itertools import chain
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


class RangesRead:
    """Ranges of an object, whose bytes can be asked for before they are needed.

    A request that was not sent by then, or has failed, is made when the bytes are needed: what was asked for ahead
    changes no error, only how long is waited.

    Args:
        read: Makes a request.
        url: The object.
        ranges: First byte and size of each; int64 [ranges, 2].
        known: What the object must still be.
        threads: Make requests that need not be waited for; None: requests are made one after another, when needed.

    Attributes:
        seconds: What the longest request has taken so far.
    """

    def __init__(
        self, read: Reads, url: str, ranges: NDArray[np.int64], known: Facts, threads: Executor | None = None
    ) -> None:
        self._read, self._url, self._known, self._threads = read, url, known, threads
        self._cost = costs["/".join(url.split("/", 3)[:3])]
        self._ranges, self._groups = ranges, _groups(ranges, self._cost.gap)
        self._spans = [(int(ranges[one, 0].min()), int(ranges[one].sum(axis=1).max())) for one in self._groups]
        self._asked: dict[int, Future[bytes]] = {}
        self.seconds = 0.0

    @property
    def size(self) -> int:
        """Bytes that are read: those of the ranges, and what lies between two that are read together."""
        return sum(end - start for start, end in self._spans)

    @property
    def under_way(self) -> bool:
        """Whether an answer is still to come."""
        return any(not asked.done() for asked in self._asked.values())

    def ask(self) -> None:
        """Have the requests made, as far as they can be without waiting for them."""
        if self._threads is None:
            return
        for at, end in chain.from_iterable(_requests(*span) for span in self._spans):
            with suppress(RuntimeError):  # the system has no thread for it
                self._asked[at] = self._threads.submit(self._request, at, end)

    def cancel(self) -> None:
        """The bytes are not needed: requests that were not sent are not, and answers are forgotten."""
        self._asked = {at: asked for at, asked in self._asked.items() if not asked.cancel() and not asked.done()}

    def result(self) -> list[bytes]:
        """The bytes of each range.

        Raises:
            ObjectError: If they cannot be read, or the object is another one by now.
            StorageError: If its store does not answer.
        """
        if not self._asked and sum(len(_requests(*span)) for span in self._spans) > 1:
            self.ask()
        found = [b""] * len(self._ranges)
        for (first, last), group in zip(self._spans, self._groups, strict=True):
            data = memoryview(b"".join(self._bytes(at, end) for at, end in _requests(first, last)))
            for one in group:
                at, size = self._ranges[one].tolist()
                found[one] = bytes(data[at - first : at - first + size])
        return found

    def _bytes(self, start: int, end: int) -> bytes:
        asked = self._asked.pop(start, None)
        if asked is None or asked.cancel() or (asked.done() and asked.exception() is not None):
            return self._request(start, end)
        return asked.result()

    def _request(self, start: int, end: int) -> bytes:
        started = time.monotonic()
        try:
            answer = self._read(self._url, start, end, self._known)
        finally:
            spent = time.monotonic() - started
            self.seconds = max(self.seconds, spent)
        if not answer.at_hand:
            self._cost.add(len(answer.data), spent)
        return answer.data


def _requests(start: int, end: int) -> list[tuple[int, int]]:
    return [(at, min(at + LARGEST, end)) for at in range(start, end, LARGEST)]


def _groups(ranges: NDArray[np.int64], gap: int) -> Sequence[NDArray[np.intp]]:
    """The numbers of ranges that are read together, in the order of their places."""
    order = np.argsort(ranges[:, 0], kind="stable")
    starts, ends = ranges[order, 0], np.maximum.accumulate(ranges[order].sum(axis=1))
    return np.split(order, np.flatnonzero(starts[1:] - ends[:-1] > gap) + 1)
