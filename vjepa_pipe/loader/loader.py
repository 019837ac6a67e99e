"""ClipLoader: an iterable of batches that knows where it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from vjepa_pipe.config.loader import LoaderConfig
from vjepa_pipe.datasets import BadSample, KeyedDataset
from vjepa_pipe.loader.blame import Blame
from vjepa_pipe.loader.fetch import BatchTask, Collate, Delivery, FetchBatch, WorkerStart
from vjepa_pipe.loader.pinning import pinned
from vjepa_pipe.loader.pool import Death, WorkerPool
from vjepa_pipe.loader.quarantine import QuarantineWriter
from vjepa_pipe.loader.report import Report
from vjepa_pipe.loader.schedule import BatchSchedule
from vjepa_pipe.loader.state import VERSION, LoaderState, StateError
from vjepa_pipe.loader.worker import Failure


class ClipLoader:
    """Batches of an epoch; each finished pass is followed by the next epoch.

        for epoch in range(10):
            for batch in loader:
                ...

    A pass that is left early is begun again by the next one. To go on in the middle of an epoch, also
    in another process, with other workers or on other ranks, save `state_dict()` between two batches and
    give it to `load_state_dict`.

    A batch can be kept for as long as is liked. When it and every view of it are gone, its memory is used again for
    another one; so of a batch that was dropped, nothing may be read through a bare address.

    Attributes:
        dataset: Key to sample.
        schedule: Which keys make up which batch.
        report: Counts of what was delivered since this object was made.
        seconds_waited: Time the consumer has waited for the last batch.

    Args:
        dataset: Key to sample.
        schedule: Which keys make up which batch.
        collate: Samples to a batch.
        config: Prefetching, start method, what becomes of bad samples and the like.
        num_workers: Worker processes; 0 reads in this process, where nothing can stop a decoder that hangs.
        seed: The experiment's.
        worker_start: Called in each worker.
        quarantine: File that gets a line for each bad row.
        made_of: Gives hashes of what the run is made of; saved in states and compared when they are loaded.
    """

    def __init__(
        self,
        dataset: KeyedDataset,
        schedule: BatchSchedule,
        collate: Collate,
        config: LoaderConfig,
        num_workers: int,
        seed: int,
        worker_start: WorkerStart,
        quarantine: Path,
        made_of: Callable[[], Mapping[str, str]],
    ) -> None:
        self.dataset = dataset
        self.schedule = schedule
        self.seconds_waited = 0.0
        self.report = Report([rows.name for rows in dataset.sources], config.max_failure_rate)
        self._config = config
        self._num_workers = num_workers
        self._seed = seed
        self._worker_start = worker_start
        self._quarantine = QuarantineWriter(quarantine)
        self._hashes = made_of
        self._fetch = FetchBatch(dataset, collate)
        self._blame = Blame(dataset, config.max_restarts, self._blamed)
        self._pool: WorkerPool | None = None
        self._epoch = 0  # the epoch that the next pass yields, or the one under way
        self._start = 0  # the batch that the next pass starts with
        self._given = 0  # batches of the epoch handed out
        self._started = False

    def __len__(self) -> int:
        return len(self.schedule)

    @property
    def epoch(self) -> int:
        """The epoch that the next pass yields, or the one under way."""
        return self._epoch

    @property
    def first_batch(self) -> int:
        """The batch that the next pass starts with: 0, unless a state was loaded."""
        return self._start

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass yield this epoch, from its first batch."""
        self._epoch, self._start, self._given = epoch, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """The place after the last batch handed out; what was only prefetched does not count."""
        return self._state(self._epoch, self._given).to_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Make the next pass start where a state says. On an error nothing has changed.

        The number of ranks and workers may differ from those of the run that was saved. While
        `batch_size * world_size` is the same, so is every batch; with another, the same samples follow in
        the same order.

        Raises:
            StateError: If the state is damaged, belongs to another run (unless
                `loader.on_change=continue`), or does not end on a whole batch of this one.
        """
        saved, here = LoaderState.from_dict(state), self._state(0, 0)
        changes = saved.changes(here)
        if changes and self._config.on_change == "refuse":
            raise StateError(
                f"the state was saved by another run; these differ: {', '.join(changes)}; "
                "loader.on_change=continue takes the place it stands at all the same"
            )
        size = self.schedule.global_batch_size
        if saved.position >= self.schedule.epoch_size:
            epoch, batch = saved.epoch + 1, 0
        elif saved.position % size == 0:
            epoch, batch = saved.epoch, saved.position // size
        else:
            raise StateError(
                f"the state stands at sample {saved.position} of its epoch (batches of {saved.global_batch_size} on "
                f"{saved.world_size} ranks), not at the end of a batch of {size} = data.batch_size="
                f"{self.schedule.batch_size} x {self.schedule.world_size} ranks"
            )
        self._epoch, self._start, self._given = epoch, batch, batch

    def __iter__(self) -> Iterator[Any]:
        if not self._started and self._num_workers == 0:
            self._worker_start.start_monitor("main")
        self._started = True
        first, self._start, self._blame.restarts = self._start, 0, 0
        self._given = first
        deliveries = self._deliveries(self._epoch, first)
        try:
            while True:
                asked = time.perf_counter()
                delivery = next(deliveries, None)
                self.seconds_waited = time.perf_counter() - asked
                if delivery is None:
                    break
                if isinstance(delivery, Failure):
                    raise delivery.error
                self._count(delivery)
                self._given += 1
                yield delivery.batch
        except GeneratorExit:
            raise
        except BaseException:
            self.close()
            raise
        self.set_epoch(self._epoch + 1)
        if not self._config.persistent_workers and self._pool is not None:
            self._pool.end_workers()

    def close(self) -> None:
        """End the workers; the next pass starts new ones, with the dataset as it is then."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _deliveries(self, epoch: int, first: int) -> Iterator[Delivery | Failure]:
        tasks = (BatchTask(keys, self._blame.rows) for keys in self.schedule.batches(epoch, first))
        finish = pinned if self._config.pin_memory and torch.accelerator.is_available() else None
        if self._num_workers == 0:
            deliveries = map(self._fetch, tasks)
            return deliveries if finish is None else map(finish, deliveries)
        if self._pool is None:
            self._pool = WorkerPool(
                self._fetch,
                self._worker_start,
                self._num_workers,
                self._config.prefetch_factor,
                self._config.start_method,
                self._config.sample_timeout_sec,
                self._died,
                finish,
            )
        return self._pool.run(tasks)

    def _count(self, delivery: Delivery) -> None:
        for bad in delivery.bad:
            self._quarantine.add(bad)
        self.report.add(delivery)

    def _died(self, death: Death) -> None:
        self.report.restarts += 1
        self._blame(death)

    def _blamed(self, bad: BadSample) -> None:
        self._quarantine.add(bad)
        self.report.sources[bad.source].add_bad(bad)

    @cached_property
    def _made_of(self) -> dict[str, str]:
        return dict(self._hashes())

    def _state(self, epoch: int, batch: int) -> LoaderState:
        size, epoch_size = self.schedule.global_batch_size, self.schedule.epoch_size
        epoch, position = (epoch + 1, 0) if batch >= len(self.schedule) else (epoch, batch * size)
        world = self.schedule.world_size
        return LoaderState(VERSION, self._seed, epoch, position, epoch_size, size, world, self._made_of)
