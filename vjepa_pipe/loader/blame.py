"""Which sample ended a worker, and when to stop trying."""

from __future__ import annotations

from collections import Counter

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.urls import shown_path
from vjepa_pipe.datasets import BadSample, KeyedDataset
from vjepa_pipe.loader.pool import Death
from vjepa_pipe.loader.pulse import Phase

STRIKES = 2
"""Workers that a row must end before it is blamed: one may have hung for a disk that was slow just then."""

ENDED_WORKER = "WorkerEnded"
"""`BadSample.error` of a row that ended its workers."""


class WorkersKeepDying(UserError):
    """More workers died in an epoch than may be replaced, or two at the same batch."""


class Blame:
    """Counts the deaths of workers and finds the rows behind them.

    A row that ends a second worker goes into the dataset's quarantine: from then on it is replaced like
    any bad row, without being opened. Only a worker that ended by itself counts: by a signal of its own such as
    SIGSEGV, by exiting, or by hanging while it ran. One that was killed or stopped from outside changes no batch.

    Args:
        dataset: Whose rows they are.
        max_restarts: Deaths allowed in an epoch.

    Attributes:
        rows: Blamed so far, as source and row; one list, which grows.
        restarts: Deaths so far in this epoch.
    """

    def __init__(self, dataset: KeyedDataset, max_restarts: int) -> None:
        self.rows: list[tuple[int, int]] = []
        self.restarts = 0
        self._dataset = dataset
        self._max_restarts = max_restarts
        self._strikes: Counter[object] = Counter()

    def __call__(self, death: Death) -> BadSample | None:
        """A worker has died.

        Returns:
            The row that is blamed for it, if it is one, and was not before.

        Raises:
            WorkersKeepDying: If it was one too many, or the second one at the same batch outside of any row.
        """
        self.restarts += 1
        phase, source, row = death.doing
        reading = phase == Phase.READING
        path = shown_path(self._dataset.sources[source].path(row)) if reading else ""
        where = f"while reading {path}" if reading else f"while {phase.text}"
        if self.restarts > self._max_restarts:
            raise WorkersKeepDying(
                f"worker {death.worker} ended ({death.reason}, {where}), the {self.restarts}. in this epoch; "
                f"loader.max_restarts={self._max_restarts}{'' if death.by_itself else _OUTSIDE}"
            )
        if not death.by_itself:
            return None
        culprit = (source, row) if reading else (phase, death.task)
        self._strikes[culprit] += 1
        if self._strikes[culprit] < STRIKES:
            return None
        if not reading:
            raise WorkersKeepDying(f"{STRIKES} workers ended {where}, the same batch each time; {death.reason}")
        if (source, row) in self.rows:
            return None
        reason = f"{path}: {STRIKES} workers ended while reading it; {death.reason}"
        self._dataset.quarantine.add((source, row))
        self.rows.append((source, row))
        return self._dataset.describe_bad(source, row, ENDED_WORKER, reason)


_OUTSIDE = (
    "; it was ended from outside: if by the kernel, for want of memory, lower data.num_workers, "
    "loader.prefetch_factor or data.batch_size"
)
