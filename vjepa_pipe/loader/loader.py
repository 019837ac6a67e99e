"""ClipLoader: a torch DataLoader that knows where it is."""

from __future__ import annotations

import os
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.image import IMAGE
from vjepa_pipe.config.loader import LoaderConfig
from vjepa_pipe.config.mask import MaskConfig
from vjepa_pipe.datasets import KeyedDataset
from vjepa_pipe.loader.blame import Blame
from vjepa_pipe.loader.fetch import BatchTask, Collate, Delivery, FetchBatch, WorkerStart
from vjepa_pipe.loader.pinning import PageLock, pinned
from vjepa_pipe.loader.pool import Death, WorkerPool
from vjepa_pipe.loader.quarantine import QuarantineWriter
from vjepa_pipe.loader.report import Report
from vjepa_pipe.loader.sampler import KeyBatches, Place, RankSampler
from vjepa_pipe.loader.schedule import Schedule, with_later, with_turns
from vjepa_pipe.loader.state import VERSION, LoaderState, StateError
from vjepa_pipe.loader.steps import StepLog
from vjepa_pipe.loader.worker import Failure
from vjepa_pipe.sampling import WHERE_TO_BUILD, rank_and_world

PLANNED = 32
"""Samples, at least, that a worker knows of beyond its batch: at 20 ms for each, requests have 0.6 s to be answered."""

_FIXED = frozenset({
    "dataset", "batch_size", "sampler", "batch_sampler", "drop_last", "collate_fn", "num_workers", "prefetch_factor",
    "persistent_workers", "multiprocessing_context", "worker_init_fn", "pin_memory", "generator", "timeout", "in_order",
})  # fmt: skip


class ClipLoader(DataLoader[Any]):
    """A `torch.utils.data.DataLoader` of whole epochs, with workers of its own and a place that can be saved.

        for epoch in range(10):
            for batch in loader:
                ...

    Each pass yields the next epoch. The last batch ends its epoch when it is handed out; a pass that is left
    early is not begun again. `set_epoch` names the epoch of the next pass. To go on in the middle of an epoch, also
    in another process, with other workers or on other ranks, save `state_dict()` between two batches and
    give it to `load_state_dict`.

    A batch can be kept for as long as is liked. When it and every view of it are gone, its memory is used again for
    another one; so of a batch that was dropped, nothing may be read through a bare address.

    Attributes:
        dataset: Key to sample.
        sampler: The keys of this rank.
        batch_sampler: The same, in batches.
        schedule: Which keys make up which batch.
        report: Counts of what was delivered since this object was made. If rows were bad, a `UserWarning` says so once
            this object or the program ends.
        seconds_waited: Time the consumer has waited for the last batch.
        quarantine_file: File that gets a line for each bad row.

    Args:
        dataset: Key to sample.
        schedule: Which keys make up which batch.
        collate: Samples to a batch.
        config: Prefetching, start method, what becomes of bad samples and the like.
        num_workers: Worker processes; 0 reads in this process, where nothing can stop a decoder that hangs.
        seed: The experiment's.
        worker_start: Called in each worker.
        quarantine: File that gets a line for each bad row.
        fingerprints: Gives what the run is made of; saved in states and compared when they are loaded.
        masks: The masks that the report counts the tokens of, those of each modality.
        drop_last: Whether the epoch was cut to whole batches.
        ranks_found: The schedule's rank was found, not given: it must still be this process's when a pass begins.
        steps: Notes which batches the run's steps are.
    """

    dataset: KeyedDataset
    sampler: RankSampler
    schedule: Schedule
    # Accelerate then takes the loader as it is, and keeps its state in `save_state`.
    _is_accelerate_prepared = True
    use_stateful_dataloader = True
    _built = False

    def __init__(
        self,
        dataset: KeyedDataset,
        schedule: Schedule,
        collate: Collate,
        config: LoaderConfig,
        num_workers: int,
        seed: int,
        worker_start: WorkerStart,
        quarantine: Path,
        fingerprints: Callable[[], Mapping[str, str]],
        *,
        masks: Mapping[str, MaskConfig] | None = None,
        drop_last: bool = False,
        ranks_found: bool = False,
        steps: StepLog | None = None,
    ) -> None:
        sampler = RankSampler(dataset, schedule, seed, drop_last)
        super().__init__(
            dataset,
            batch_sampler=KeyBatches(sampler, schedule.batch_size, drop_last),
            num_workers=num_workers,
            collate_fn=collate,
            pin_memory=config.pin_memory,
            worker_init_fn=worker_start,
            multiprocessing_context=config.start_method if num_workers else None,
            prefetch_factor=config.prefetch_factor if num_workers else None,
            persistent_workers=config.persistent_workers and num_workers > 0,
        )
        # torch leaves these unset beside a batch sampler that is given to it.
        self.__dict__.update(sampler=sampler, batch_size=schedule.batch_size, drop_last=drop_last)
        self.schedule = schedule
        self.seconds_waited = 0.0
        names = [rows.name for rows in dataset.sources]
        lists = dict.fromkeys(names, "") | dict(zip(names, dataset.lists, strict=False))
        repeats = {name: dataset.repeats_of(source) for source, name in enumerate(names)}
        images = {name for source, name in enumerate(names) if dataset.modality_of(source) == IMAGE}
        self.report = Report(lists, config.max_failure_rate, masks, repeats, images)
        self._config = config
        self._seed = seed
        self._worker_start = worker_start
        self.quarantine_file = quarantine
        self._quarantine = QuarantineWriter(quarantine)
        self._made_of = fingerprints
        self._ranks_found = ranks_found
        self._steps = steps
        self._fetch = FetchBatch(dataset, collate)
        self._blame = Blame(dataset, config.max_restarts)
        self._pool: WorkerPool | None = None
        self._page_lock = PageLock()
        self._passes = 0
        self._steps_before = 0  # the pass under way
        self._built = True
        weakref.finalize(self, _warn_of_bad_rows, self.report, quarantine, os.getpid())

    def __getstate__(self) -> dict[str, Any]:
        """A copy stands at this place and has workers of its own, or none yet; passes stay with the original."""
        # The files may have changed by the time that the copy is asked for their fingerprints.
        kept = {"_fingerprints": self._fingerprints}
        return self.__dict__ | kept | {"_pool": None, "_passes": 0, "_built": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # The pass under way is not the copy's: it goes on where that one stands.
        self.sampler.go_to(Place(self.sampler.epoch, self.sampler.batch))
        self._built = True

    def __setattr__(self, name: str, value: Any) -> None:
        if self._built and name in _FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized: "
                "build another loader from a config that says so"
            )
        super().__setattr__(name, value)

    def check_worker_number_rationality(self) -> None:
        """Nothing: torch warns of more workers than cores here, but these also wait for storage."""

    @property
    def epoch(self) -> int:
        """The epoch under way, or the next one once the last batch was handed out."""
        return self.sampler.epoch

    @property
    def first_batch(self) -> int:
        """The batch that the next pass starts with: 0, unless a state was loaded."""
        return self.sampler.next_place.batch

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass yield this epoch.

        It starts with the epoch's first batch; a state that was loaded and stands in this epoch keeps its place.

        Raises:
            ValueError: If the epoch is negative.
        """
        if epoch < 0:
            raise ValueError(f"epoch must be >= 0 (got {epoch})")
        self.sampler.ask_for(epoch)

    def state_dict(self) -> dict[str, Any]:
        """The place after the last batch handed out; what was only prefetched does not count."""
        return self._state(self.sampler.epoch, self.sampler.batch).to_dict()

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
        self.sampler.go_to(Place(*self.schedule.place_of(saved)))
        self.sampler.steps = saved.steps

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        return self._begun(None)

    def page_locked(self, device: torch.device) -> Iterator[Any]:
        """A pass whose batches, with `pin_memory`, are page-locked where workers wrote them, not copied.

        Whoever takes them keeps each until copies from its tensors have ended, as `device_prefetch` does.

        Args:
            device: A CUDA device.
        """
        self._page_lock.device = device
        return self._begun(self._page_lock)

    def _begun(self, page_lock: PageLock | None) -> Iterator[Any]:
        if self._ranks_found:
            self._check_rank()
        if self._passes == 0 and self.num_workers == 0:
            self._worker_start.start_monitor("main")
        self._passes += 1
        self._blame.restarts = 0
        return self._pass(self._passes, self.sampler.begin(), page_lock)

    def _pass(self, number: int, begun: Place, page_lock: PageLock | None) -> Iterator[Any]:
        self._steps_before = self.sampler.steps
        deliveries = self._deliveries(begun, page_lock)
        for batch in range(begun.batch, len(self)):
            if number != self._passes:
                raise RuntimeError("another pass over this loader has begun; only one can be under way")
            try:
                asked = time.perf_counter()
                delivery = next(deliveries)
                self.seconds_waited = time.perf_counter() - asked
                if isinstance(delivery, Failure):
                    raise delivery.error
                self._count(delivery, Place(begun.epoch, batch))
            except BaseException:
                self.close()
                raise
            if batch == begun.batch and self._steps is not None:
                self._steps.begin(self._state(*begun))
            self.sampler.hand_out(begun, batch)
            yield delivery.batch
        if not self.persistent_workers and number == self._passes and self._pool is not None:
            self._pool.end_workers()

    def close(self) -> None:
        """End the workers; the next pass starts new ones, with the dataset as it is then."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _deliveries(self, begun: Place, page_lock: PageLock | None) -> Iterator[Delivery | Failure]:
        tasks = self._tasks(begun)
        pins = self._config.pin_memory and torch.accelerator.is_available()
        if self.num_workers == 0:
            deliveries = map(self._fetch, tasks)
            return map(partial(pinned, in_place=True), deliveries) if pins else deliveries
        if self._pool is None:
            self._pool = WorkerPool(
                self._fetch,
                self._worker_start,
                self.num_workers,
                self._config.prefetch_factor,
                self._config.start_method,
                self._config.sample_timeout_sec,
                self._died,
            )
        finish = partial(pinned, in_place=page_lock is not None) if pins else None
        return self._pool.run(tasks, finish, page_lock if pins else None, attrgetter("turn"))

    def _tasks(self, begun: Place) -> Iterator[BatchTask]:
        batches, blamed = with_turns(self.schedule.batches(*begun), self.dataset.modality_of), self._blame.rows
        if not (self.num_workers and self.dataset.plans):
            return (BatchTask(keys, blamed, turn=turn) for turn, keys in batches)
        ahead = -(-PLANNED // self.schedule.batch_size)
        planned = with_later(batches, self.num_workers, ahead)
        return (BatchTask(keys, blamed, later, turn) for turn, keys, later in planned)

    def _count(self, delivery: Delivery, place: Place) -> None:
        self.report.first = self.report.first or place
        for bad in delivery.bad:
            self._quarantine.add(bad, self.sampler.steps + 1)
        self.report.add(delivery)

    def _died(self, death: Death) -> None:
        self.report.restarts += 1
        blamed = self._blame(death)
        if blamed is not None:
            assert death.task is not None  # it was reading
            self._quarantine.add(blamed, self._steps_before + death.task[1] + 1)
            self.report.sources[blamed.source].add_bad(blamed)

    @cached_property
    def _fingerprints(self) -> dict[str, str]:
        return dict(self._made_of())

    def _check_rank(self) -> None:
        """Stop where a process group was made since, whose ranks would all read the same samples."""
        built = (self.schedule.rank, self.schedule.world_size)
        if torch.distributed.is_available() and torch.distributed.is_initialized() and rank_and_world() != built:
            raise UserError(
                "the loader was built for rank {} of {}, but this process is rank {} of {}: ".format(
                    *built, *rank_and_world()
                )
                + WHERE_TO_BUILD
            )

    def _state(self, epoch: int, batch: int) -> LoaderState:
        size, epoch_size = self.schedule.global_batch_size, self.schedule.epoch_size
        world = self.schedule.world_size
        fingerprints, steps = self._fingerprints, self.sampler.steps
        return LoaderState(VERSION, self._seed, epoch, batch * size, epoch_size, size, world, fingerprints, steps)


def _warn_of_bad_rows(report: Report, quarantine: Path, process: int) -> None:
    """Said once a loader is gone, in the process that it was made in."""
    if os.getpid() == process and not report.bad_rows_told and (found := report.bad_rows(quarantine)):
        warnings.warn(f"{found}; loader.report counts what was read", stacklevel=1)
