"""How long a worker has done nothing, in time that this process saw."""

from __future__ import annotations

import time


class Clock:
    """Time between looks, as far as it was watched.

    A process that was stopped itself, as in a frozen container, or whose trainer was busy for minutes has not seen what
    its workers did meanwhile: such a gap counts as no more than two looks.

    Args:
        interval: Seconds between two looks, at least.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time for a look."""
        return time.monotonic() - self._last >= self.interval

    def look(self) -> float:
        """The seconds since the last look that count."""
        last, self._last = self._last, time.monotonic()
        return min(self._last - last, 2 * self.interval)


class Watch:
    """One worker's progress.

    Attributes:
        running: Seconds that it has run without progress.
        stopped: Seconds that it has been stopped, as by SIGSTOP; being stopped is no fault of what it does.
        grown: Bytes that its memory has grown by without progress, as far as was seen.
    """

    def __init__(self) -> None:
        self._changes = -1
        self._memory = self._memory_before = 0
        self.running = self.stopped = 0.0

    @property
    def grown(self) -> int:
        return self._memory - self._memory_before

    def look(self, changes: int, seconds: float, stopped: bool, memory: int) -> None:
        """Count the time since the last look.

        Args:
            changes: Grows with progress.
            seconds: Time since the last look.
            stopped: Whether the worker is stopped now.
            memory: Bytes that it has in use.
        """
        if changes != self._changes:
            self._memory_before = self._memory or memory
        self._memory = memory
        if stopped:
            self.running, self.stopped = 0.0, self.stopped + seconds
        elif changes != self._changes or self.stopped:
            self.running = self.stopped = 0.0
        else:
            self.running += seconds
        self._changes = changes
