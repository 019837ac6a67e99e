"""Worker processes that survive their own deaths: results come in order, and none is lost or given twice.

`torch.utils.data.DataLoader` cannot be used here. When one of its workers dies, a signal handler raises in whatever
the trainer is doing at that moment, everything prefetched is lost, and the queue that all workers share may stay
locked for ever. Here each worker has a pipe of its own, so its death concerns nobody else.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import torch.multiprocessing  # noqa: F401 (teaches pickle to hand over tensors in shared memory)

from vjepa_pipe.loader.blocks import BorrowedBlocks, Bytes
from vjepa_pipe.loader.channel import Channel, Message, readable
from vjepa_pipe.loader.fork_server import ForkServer
from vjepa_pipe.loader.processes import (
    CannotStart,
    Launcher,
    Parcel,
    Spawner,
    WorkerProcess,
    by_itself,
    ended_before_start,
    how_it_ended,
    state_of,
)
from vjepa_pipe.loader.pulse import Doing, Phase, Pulse
from vjepa_pipe.loader.shortage import shortage, shortages_named
from vjepa_pipe.loader.start_method import use_a_known_start_method
from vjepa_pipe.loader.watch import Clock, Watch
from vjepa_pipe.loader.worker import CannotCross, Failure, Work, run_worker

Number = tuple[int, int]
"""The pass that a task belongs to, and its place in it."""

GROWTH_BYTES = 2**30
"""A worker that is killed after it grew by more than this over one sample has ended itself."""

_TICK_SEC = 1.0
_END_SEC = 2.0


class Death(NamedTuple):
    """The end of a worker process.

    Attributes:
        worker: Its number.
        doing: What it was at.
        task: The task that it had.
        reason: Why it ended.
        by_itself: Whether what it was at ended it: a signal of its own, an exit, a hang; not a signal from outside.
    """

    worker: int
    doing: Doing
    task: Number | None
    reason: str
    by_itself: bool


@dataclass
class _Worker:
    number: int
    process: WorkerProcess
    channel: Channel
    pulse: Pulse
    pending: deque[Number] = field(default_factory=deque)
    blocks: BorrowedBlocks = field(default_factory=BorrowedBlocks)
    watch: Watch = field(default_factory=Watch)


class WorkerPool:
    """Runs `work(task)` in processes and gives the results in the order of the tasks.

    A worker that dies, or is at one thing for too long, is replaced; the tasks that it had are done
    again, from the same values, so the results are those it would have given.

    Where processes are forked, this one forks once, when the pool is made; see `ForkServer`.

    Args:
        work: Turns a task into a result; a fork has it as it is when the pool is
            made, other workers as it is when they start.
        start: Called with its number in each worker, first of all.
        num_workers: Processes, at least 1.
        prefetch: Tasks that each worker is given ahead.
        method: How processes start; None: the platform's way.
        timeout: Seconds after which a worker that reads one sample is killed.
        on_death: Told of each death before the worker is replaced; it may raise to stop.
    """

    def __init__(
        self,
        work: Work,
        start: Callable[[int], None],
        num_workers: int,
        prefetch: int,
        method: str | None,
        timeout: float,
        on_death: Callable[[Death], None],
    ) -> None:
        use_a_known_start_method()
        context: Any = multiprocessing.get_context(method)
        self._timeout, self._on_death = timeout, on_death
        self._clock = Clock(min(_TICK_SEC, timeout / 4))
        self._window = num_workers * prefetch
        self._thread = ThreadPoolExecutor(1, "finish")  # starts with the first result that it is given
        self._finish: Callable[[Any], Any] | None = None
        self._page_lock: Callable[[Bytes], bool] | None = None
        self._tasks: dict[Number, Any] = {}
        self._results: dict[Number, Any] = {}
        self._pass, self._under_way = 0, False
        self._method: str = context.get_start_method()
        pulses = self._pulses = [Pulse(context, timeout) for _ in range(num_workers)]
        owner = self._owner = os.getpid()

        def arguments(number: int) -> tuple[Any, ...]:
            return Parcel(work, start), num_workers, pulses[number], owner

        def run(number: int, channel: Channel) -> None:
            run_worker(number, channel, *arguments(number))

        self._workers: list[_Worker] = []
        with shortages_named():
            forks = self._method == "fork"
            self._launcher: Launcher = ForkServer(run) if forks else Spawner(context, run_worker, arguments)
        self._stop = weakref.finalize(self, _stop, self._workers, self._launcher, owner)

    def run(
        self,
        tasks: Iterable[Any],
        finish: Callable[[Any], Any] | None = None,
        page_lock: Callable[[Bytes], bool] | None = None,
        turn: Callable[[Any], int] | None = None,
    ) -> Iterator[Any]:
        """The results of tasks, in order. What is left of a call is given up with its iterator, or by the next call.

        Args:
            tasks: What workers are given.
            finish: Applied to each result in a thread of this process, such as pinning; None: nothing.
            page_lock: Page-locks the memory that results stand in; see `BorrowedBlocks.loads`.
            turn: The number of a task by which workers take turns; None: its place.

        Raises:
            RuntimeError: If a later call has begun meanwhile.
            CannotStart: If workers end before they have started.
            Shortage: If the system refuses what is needed.
        """
        self._give_up()
        self._pass, self._under_way = self._pass + 1, True
        this_pass = self._pass
        self._finish, self._page_lock = finish, page_lock
        numbered = enumerate(tasks)
        waiting: deque[Number] = deque()

        def hand_out() -> None:
            for index, task in islice(numbered, self._window - len(waiting)):
                number = (this_pass, index)
                self._tasks[number] = task
                waiting.append(number)
                # In turn, so that what third-party code draws from a worker's global generators repeats.
                self._give(self._workers[(index if turn is None else turn(task)) % len(self._workers)], number)

        with shortages_named():
            while len(self._workers) < len(self._pulses):
                self._workers.append(self._launch(len(self._workers)))
            hand_out()
        try:
            while waiting:
                number = waiting.popleft()
                with shortages_named():
                    while number not in self._results:
                        self._wait(self._clock.interval)
                    result = self._results.pop(number)
                    hand_out()
                    self._wait(0)
                yield result.result() if isinstance(result, Future) else result
                if self._pass != this_pass:
                    raise RuntimeError("another pass over this loader has begun; only one can be under way")
        finally:
            if self._pass == this_pass:
                self._give_up()

    def end_workers(self) -> None:
        """End the workers; the next call of `run` starts others. A fork server stays."""
        _end(self._workers)

    def close(self) -> None:
        """End the workers. The pool cannot be used afterwards."""
        self._stop()
        self._thread.shutdown()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.process.pid for worker in self._workers]

    def _give_up(self) -> None:
        """End the pass under way, and tell the workers; one that has a task left does it first."""
        if not self._under_way or os.getpid() != self._owner:
            return
        self._under_way = False
        self._tasks.clear()
        self._results.clear()
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.channel.post(pickle.dumps((None, None, worker.blocks.dropped())))

    def _launch(self, number: int) -> _Worker:
        pulse = self._pulses[number]
        pulse.reset()
        process, channel = self._launcher.launch(number)
        return _Worker(number, process, channel, pulse)

    def _give(self, worker: _Worker, number: Number) -> None:
        if not worker.pending:
            worker.watch = Watch()
        worker.pending.append(number)
        with contextlib.suppress(ConnectionError):  # it has died; `_wait` finds out and gives its tasks to the next
            worker.channel.post(pickle.dumps((number, self._tasks[number], worker.blocks.dropped())))

    def _wait(self, seconds: float) -> None:
        """Receive what workers have sent, waiting for it for some seconds; replace those that ended or hang."""
        channels = [worker.channel for worker in self._workers]
        found = readable(channels, seconds)
        for worker in list(self._workers):
            if worker.channel in found:
                self._receive(worker)
            else:
                with contextlib.suppress(ConnectionError):
                    worker.channel.flush()
        if self._clock.due():
            self._look(self._clock.look())

    def _receive(self, worker: _Worker) -> None:
        """Take what a worker has sent; replace it if it is gone."""
        for message in worker.channel.messages():
            number, result = self._unpickled(worker, message)
            if number is None:
                raise result.error  # it could not start
            worker.pending.popleft()
            if self._tasks.pop(number, None) is not None:
                self._results[number] = result if self._finish is None else self._thread.submit(self._finish, result)
        if worker.channel.closed:
            worker.process.wait(_END_SEC)  # its connection breaks a moment before it has ended
            self._ended(worker)

    def _unpickled(self, worker: _Worker, message: Message) -> tuple[Number | None, Any]:
        try:
            found: tuple[Number | None, Any] = worker.blocks.loads(*message, self._page_lock)
        except Exception as error:
            if shortage(error) is not None or not worker.pending:
                raise
            return worker.pending[0], Failure(CannotCross(error))  # a worker answers in the order of its tasks
        return found

    def _look(self, seconds: float) -> None:
        """Judge each worker that has something to do.

        Args:
            seconds: Time since the last look.
        """
        for worker in list(self._workers):
            pulse, watch = worker.pulse, worker.watch
            if worker.process.wait(0):  # and yet its connection is not closed: a process of its own holds it
                self._receive(worker)
                if worker is self._workers[worker.number]:
                    self._ended(worker)
            elif worker.pending:
                watch.look(pulse.changes, seconds, *state_of(worker.process.pid))
                limit = pulse.doing.phase.limit(self._timeout)
                if watch.stopped > self._timeout:
                    self._replace(worker, f"it was stopped for more than {self._timeout:g} s", False)
                elif watch.running > limit:
                    self._replace(worker, f"more than {limit:g} s {pulse.doing.phase.text}", True)

    def _ended(self, worker: _Worker) -> None:
        code = worker.process.exit_code
        if by_itself(code) and worker.pulse.doing.phase in (Phase.IMPORTING, Phase.STARTING):
            raise ended_before_start(worker.number, code, self._method)
        grown = worker.watch.grown
        if code == -signal.SIGKILL and grown > GROWTH_BYTES:  # so the kernel ends what takes all memory
            self._replace(worker, f"{how_it_ended(code)}, after its memory grew by {grown / 2**30:.1f} GiB", True)
        else:
            self._replace(worker, how_it_ended(code), by_itself(code))

    def _replace(self, worker: _Worker, reason: str, itself: bool) -> None:
        worker.process.kill()
        worker.process.wait(_END_SEC)  # one that waits for a dead disk ends later
        worker.channel.close()
        doing, task = worker.pulse.doing, worker.pending[0] if worker.pending else None
        if itself and doing.phase in (Phase.IMPORTING, Phase.STARTING):
            raise CannotStart(f"worker {worker.number}: {reason}")
        self._on_death(Death(worker.number, doing, task, reason, itself))
        successor = self._workers[worker.number] = self._launch(worker.number)
        for number in worker.pending:
            if number in self._tasks:
                self._give(successor, number)


def _stop(workers: list[_Worker], launcher: Launcher, owner: int) -> None:
    if os.getpid() != owner:  # a forked copy of the pool ends; the workers are not its own
        return
    _end(workers)
    launcher.close()


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        with contextlib.suppress(OSError):
            worker.channel.post(pickle.dumps(None))
    until = time.monotonic() + 0.5
    for worker in workers:
        worker.process.wait(max(0.0, until - time.monotonic()))
        worker.process.kill()
    for worker in workers:
        worker.process.wait(_END_SEC)
        worker.channel.close()
    workers.clear()
