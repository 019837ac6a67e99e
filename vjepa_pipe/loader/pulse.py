"""What a worker is reading, and since when: told through shared memory, so that it works while the worker hangs."""

from __future__ import annotations

import signal
import time
from typing import Any, NamedTuple

from vjepa_pipe.sampling import SampleKey


class Reading(NamedTuple):
    """The row that a worker has opened.

    Attributes:
        source: Number of the source.
        row: Row in it.
        seconds: How long ago the worker began.
    """

    source: int
    row: int
    seconds: float


class Pulse:
    """A few words of memory that a worker writes and the main process reads.

    No lock guards them: a worker that dies would never give it back. The start time is written last and
    cleared first, so a reader that finds one sees the row that belongs to it.

    The main process kills a worker that reads for too long. In case that process is gone, the worker also
    sets an alarm, of which it dies after twice the time, whoever holds the GIL.

    Args:
        context: The multiprocessing context that starts the worker.
        timeout: Seconds that reading one row may take.
    """

    def __init__(self, context: Any, timeout: float) -> None:
        self._words = context.RawArray("q", 3)  # start in nanoseconds, 0 when idle; source; row
        self._alarm_sec = 2 * timeout

    def begin(self, key: SampleKey) -> None:
        """A row is about to be opened; called in the worker, as is `end`."""
        self.end()
        signal.setitimer(signal.ITIMER_REAL, self._alarm_sec)
        self._words[1], self._words[2] = key.source, key.row
        self._words[0] = time.monotonic_ns()

    def end(self) -> None:
        """Nothing is being read."""
        self._words[0] = 0
        signal.setitimer(signal.ITIMER_REAL, 0)

    def reading(self) -> Reading | None:
        """What the worker is reading; None between samples."""
        started, source, row = self._words
        if started == 0 or self._words[0] != started:
            return None
        return Reading(source, row, (time.monotonic_ns() - started) / 1e9)
