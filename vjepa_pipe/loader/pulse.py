"""What a worker is reading, and since when: told through shared memory, so that it works while the worker hangs."""

from __future__ import annotations

import faulthandler
import os
import time
from pathlib import Path
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

    The main process kills a worker that reads for too long. In case that process is gone, or busy for
    long, the worker also has a thread of C that ends it after twice the time, whoever holds the GIL.

    Args:
        context: The multiprocessing context that starts the worker.
        timeout: Seconds that reading one row may take.
    """

    def __init__(self, context: Any, timeout: float) -> None:
        self._words = context.RawArray("q", 3)  # start in nanoseconds, 0 when idle; source; row
        self._last_resort = 2 * timeout
        self._silence: int | None = None

    def begin(self, key: SampleKey) -> None:
        """A row is about to be opened; called in the worker, as is `end`."""
        self.end()
        if self._silence is None:
            self._silence = os.open(Path(os.devnull), os.O_WRONLY)
        faulthandler.dump_traceback_later(self._last_resort, exit=True, file=self._silence)
        self._words[1], self._words[2] = key.source, key.row
        self._words[0] = time.monotonic_ns()

    def end(self) -> None:
        """Nothing is being read."""
        self._words[0] = 0
        faulthandler.cancel_dump_traceback_later()

    def reading(self) -> Reading | None:
        """What the worker is reading; None between samples."""
        started, source, row = self._words
        if started == 0 or self._words[0] != started:
            return None
        return Reading(source, row, (time.monotonic_ns() - started) / 1e9)
