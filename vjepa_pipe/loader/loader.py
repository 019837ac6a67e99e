"""ClipLoader: an iterable of batches that knows where it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader

from vjepa_pipe.config.loader import LoaderConfig
from vjepa_pipe.datasets import KeyedDataset
from vjepa_pipe.loader.schedule import BatchSchedule
from vjepa_pipe.loader.workers import CollateUnlessFailed, Failure, KeyedSamples, WorkerStart


class ClipLoader:
    """Batches of an epoch; each finished pass is followed by the next epoch.

        for epoch in range(10):
            for batch in loader:
                ...

    Attributes:
        dataset: Key to sample.
        schedule: Which keys make up which batch.
        seconds_waited: Time the consumer has waited for the last batch.

    Args:
        dataset: Key to sample.
        schedule: Which keys make up which batch.
        collate: Samples to a batch.
        config: Prefetching, start method and the like.
        num_workers: Worker processes; 0 reads in this process.
        seed: Seeds the workers' global generators.
        worker_start: Called in each worker.
    """

    def __init__(
        self,
        dataset: KeyedDataset,
        schedule: BatchSchedule,
        collate: Callable[[Sequence[Any]], Any],
        config: LoaderConfig,
        num_workers: int,
        seed: int,
        worker_start: WorkerStart,
    ) -> None:
        self.dataset = dataset
        self.schedule = schedule
        self.seconds_waited = 0.0
        self._worker_start = worker_start
        self._started = False
        parallel = {} if num_workers == 0 else {
            "prefetch_factor": config.prefetch_factor,
            "persistent_workers": config.persistent_workers,
            "multiprocessing_context": config.start_method,
            "worker_init_fn": worker_start,
        }  # fmt: skip
        self._loader: DataLoader[Any] = DataLoader(
            KeyedSamples(dataset),
            batch_sampler=schedule,
            num_workers=num_workers,
            collate_fn=CollateUnlessFailed(collate),
            pin_memory=config.pin_memory,
            generator=torch.Generator().manual_seed(seed),
            **parallel,  # type: ignore[arg-type]
        )

    def __len__(self) -> int:
        return len(self.schedule)

    @property
    def epoch(self) -> int:
        """The epoch that the next pass yields, or the one under way."""
        return self.schedule.epoch

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass yield this epoch, from its first batch."""
        self.schedule.epoch, self.schedule.first_batch = epoch, 0

    def __iter__(self) -> Iterator[Any]:
        if not self._started and self._loader.num_workers == 0:
            self._worker_start.start_monitor("main")
        self._started = True
        asked = time.perf_counter()
        batches = iter(self._loader)
        while True:
            batch = next(batches, None)
            self.seconds_waited = time.perf_counter() - asked
            if batch is None:
                break
            if isinstance(batch, Failure):
                raise batch.error
            yield batch
            asked = time.perf_counter()
        self.set_epoch(self.epoch + 1)
