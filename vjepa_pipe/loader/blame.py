"""Which sample ended a worker, and when to stop trying."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.datasets import BadSample, KeyedDataset
from vjepa_pipe.loader.pool import Death

STRIKES = 2
"""Workers that a row must end before it is blamed: the first may have been killed by a stranger."""

ENDED_WORKER = "WorkerEnded"
"""`BadSample.error` of a row that ended its workers."""


class WorkersKeepDying(UserError):
    """More workers died in an epoch than may be replaced."""


class Blame:
    """Counts the deaths of workers and finds the rows behind them.

    A row that ends a second worker goes into the dataset's quarantine: from then on it is replaced like
    any bad row, without being opened. A worker killed once, by a person or for memory, changes no batch.

    Args:
        dataset: Whose rows they are.
        max_restarts: Deaths allowed in an epoch.
        on_blamed: Told of each row that is blamed.

    Attributes:
        rows: Blamed so far, as source and row.
        restarts: Deaths so far in this epoch.
    """

    def __init__(self, dataset: KeyedDataset, max_restarts: int, on_blamed: Callable[[BadSample], None]) -> None:
        self.rows: tuple[tuple[int, int], ...] = ()
        self.restarts = 0
        self._dataset = dataset
        self._max_restarts = max_restarts
        self._on_blamed = on_blamed
        self._strikes: Counter[tuple[int, int]] = Counter()

    def __call__(self, death: Death) -> None:
        """A worker has died.

        Raises:
            WorkersKeepDying: If it was one too many.
        """
        self.restarts += 1
        bad = self._reading(death)
        if self.restarts > self._max_restarts:
            where = "" if bad is None else f", while reading {bad.path}"
            raise WorkersKeepDying(
                f"worker {death.worker} ended ({death.reason}{where}), the {self.restarts}. in this epoch; "
                f"loader.max_restarts={self._max_restarts}"
            )
        if bad is None or death.reading is None:
            return
        row = death.reading.source, death.reading.row
        self._strikes[row] += 1
        if self._strikes[row] == STRIKES:
            self._dataset.quarantine.add(row)
            self.rows = (*self.rows, row)
            self._on_blamed(bad)

    def _reading(self, death: Death) -> BadSample | None:
        if death.reading is None:
            return None
        source, row, _ = death.reading
        reason = f"{self._dataset.sources[source].path(row)}: {STRIKES} workers ended while reading it; {death.reason}"
        return self._dataset.describe_bad(source, row, ENDED_WORKER, reason)
