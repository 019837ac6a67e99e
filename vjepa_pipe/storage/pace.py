"""A limit to the bytes that a process reads in a second."""

from __future__ import annotations

import threading
import time
from functools import cache


class Pace:
    """Keeps whoever reads waiting until that many bytes are allowed.

    Args:
        bytes_per_second: On average; one request is never cut.
    """

    def __init__(self, bytes_per_second: int) -> None:
        self._rate, self._free_at, self._lock = bytes_per_second, 0.0, threading.Lock()

    def wait(self, size: int) -> None:
        """Return when a request of `size` bytes may be sent."""
        with self._lock:
            start = max(time.monotonic(), self._free_at)
            self._free_at = start + size / self._rate
        time.sleep(max(0.0, start - time.monotonic()))


@cache
def pace_of(bytes_per_second: int) -> Pace:
    """The one pace of this process for a limit."""
    return Pace(bytes_per_second)
