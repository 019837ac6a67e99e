"""What a worker is doing: told through shared memory, so that it is known while the worker hangs and after it ended."""

from __future__ import annotations

import enum
import signal
from typing import Any, NamedTuple

from vjepa_pipe.sampling import SampleKey

IMPORT_SEC, START_SEC, WORK_SEC = 300.0, 60.0, 10.0
"""Least time-outs of what is not the reading of a sample: it may be slow on a busy machine, and is done seldom."""


class Phase(enum.IntEnum):
    """What a worker is at."""

    IMPORTING = 0
    STARTING = 1
    IDLE = 2
    WORKING = 3
    READING = 4
    COLLATING = 5

    @property
    def text(self) -> str:
        """In a sentence about a worker."""
        return _TEXTS[self]

    def limit(self, timeout: float) -> float:
        """Seconds that it may take, where reading one sample may take `timeout`."""
        return max(_LEAST[self], timeout)


_TEXTS = {
    Phase.IMPORTING: "importing the program",
    Phase.STARTING: "starting up",
    Phase.IDLE: "taking its next batch",
    Phase.WORKING: "between two samples",
    Phase.READING: "reading a sample",
    Phase.COLLATING: "collating a batch",
}
_LEAST = {
    Phase.IMPORTING: IMPORT_SEC,
    Phase.STARTING: START_SEC,
    Phase.IDLE: WORK_SEC,
    Phase.WORKING: WORK_SEC,
    Phase.READING: 0.0,
    Phase.COLLATING: WORK_SEC,
}


class Doing(NamedTuple):
    """What a worker is at, or was when it ended.

    Attributes:
        phase: Which kind of work.
        source: While a sample is read, the number of its source.
        row: While a sample is read, its row.
    """

    phase: Phase
    source: int
    row: int


class Pulse:
    """A few words of memory that a worker writes and the main process reads.

    No lock guards them: a worker that dies would never give it back. The phase is written last and changed
    first, so a row belongs to the phase that is seen.

    The main process kills a worker that is at one thing for too long. In case that process is gone, the worker also
    sets an alarm, of which it dies after twice the time, whoever holds the GIL.

    Args:
        context: The multiprocessing context that starts the worker.
        timeout: Seconds that reading one row may take.
    """

    def __init__(self, context: Any, timeout: float) -> None:
        self._words = context.RawArray("q", 4)  # changes so far; phase; source; row
        self._timeout = timeout

    def begin(self, key: SampleKey) -> None:
        """A row is about to be opened; called in the worker, as are `end` and `enter`."""
        self._words[1] = Phase.WORKING
        self._words[2], self._words[3] = key.source, key.row
        self.enter(Phase.READING)

    def end(self) -> None:
        """The row has been read."""
        self.enter(Phase.WORKING)

    def enter(self, phase: Phase) -> None:
        """Something else begins."""
        self._words[1] = phase
        self._words[0] += 1
        # One that waits for work has no end to meet.
        signal.setitimer(signal.ITIMER_REAL, 0 if phase == Phase.IDLE else 2 * phase.limit(self._timeout))

    def reset(self) -> None:
        """A new worker is about to be started; called in the main process."""
        self._words[1] = Phase.IMPORTING

    @property
    def changes(self) -> int:
        """Grows with all that the worker does."""
        return int(self._words[0])

    @property
    def doing(self) -> Doing:
        """What the worker is at; to be relied on when it has ended or hangs."""
        _, phase, source, row = self._words
        return Doing(Phase(phase), source, row)
