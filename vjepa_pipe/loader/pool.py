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
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import connection
from typing import Any, NamedTuple

import torch.multiprocessing  # noqa: F401 (teaches pipes to hand over tensors in shared memory)

from vjepa_pipe.loader.blocks import BorrowedBlocks
from vjepa_pipe.loader.pulse import Pulse, Reading
from vjepa_pipe.loader.worker import Channel, Work, run_worker

Number = tuple[int, int]
"""The pass that a task belongs to, and its place in it."""

_TICK_SEC = 1.0
_LOST = (EOFError, OSError, RuntimeError, pickle.UnpicklingError)
"""What receiving from a dying worker raises: its pipe, or the memory of a tensor, is gone."""


class Death(NamedTuple):
    """The end of a worker process.

    Attributes:
        worker: Its number.
        reading: What it was reading; None between samples.
        reason: Why it ended.
    """

    worker: int
    reading: Reading | None
    reason: str


@dataclass
class _Worker:
    number: int
    process: Any
    channel: Channel
    pulse: Pulse
    pending: deque[Number] = field(default_factory=deque)
    blocks: BorrowedBlocks = field(default_factory=BorrowedBlocks)


class WorkerPool:
    """Runs `work(task)` in processes and gives the results in the order of the tasks.

    A worker that dies, or reads one sample for too long, is replaced; the tasks that it had are done
    again, from the same values, so the results are those it would have given.

    Args:
        work: Turns a task into a result; sent to each worker as it is when the worker starts.
        start: Called with its number in each worker, first of all.
        num_workers: Processes, at least 1.
        prefetch: Tasks that each worker is given ahead.
        method: How processes start; None: the platform's way.
        timeout: Seconds after which a worker that reads one sample is killed.
        on_death: Told of each death before the worker is replaced; it may raise to stop.
        finish: Applied to each result in a thread of this process, such as pinning; None: nothing.
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
        finish: Callable[[Any], Any] | None = None,
    ) -> None:
        self._context: Any = multiprocessing.get_context(method)
        self._work, self._start, self._timeout, self._on_death = work, start, timeout, on_death
        self._num_workers = num_workers
        self._window = num_workers * prefetch
        self._thread = ThreadPoolExecutor(1, "finish") if finish is not None else None
        self._finish = finish
        self._tasks: dict[Number, Any] = {}
        self._results: dict[Number, Any] = {}
        self._pass = 0
        self._workers = [self._launch(number) for number in range(num_workers)]
        self._stop = weakref.finalize(self, _stop, self._workers, os.getpid())

    def run(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """The results of tasks, in order. What is left of an earlier call is given up.

        Raises:
            RuntimeError: If a later call has begun meanwhile.
        """
        self._pass += 1
        this_pass = self._pass
        self._tasks.clear()
        self._results.clear()
        numbered = enumerate(tasks)
        waiting: deque[Number] = deque()

        def hand_out() -> None:
            for index, task in islice(numbered, self._window - len(waiting)):
                number = (this_pass, index)
                self._tasks[number] = task
                waiting.append(number)
                # In turn, so that what third-party code draws from a worker's global generators repeats.
                self._give(self._workers[index % len(self._workers)], number)

        hand_out()
        while waiting:
            number = waiting.popleft()
            while number not in self._results:
                self._wait(_TICK_SEC)
            result = self._results.pop(number)
            hand_out()
            self._wait(0)
            yield result.result() if isinstance(result, Future) else result
            if self._pass != this_pass:
                raise RuntimeError("another pass over this loader has begun; only one can be under way")

    def close(self) -> None:
        """End the workers. The pool cannot be used afterwards."""
        self._stop()
        if self._thread is not None:
            self._thread.shutdown()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.process.pid for worker in self._workers]

    def _launch(self, number: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        pulse = Pulse(self._context, self._timeout)
        arguments = (number, self._num_workers, self._work, self._start, theirs, pulse, os.getpid())
        process = self._context.Process(target=run_worker, args=arguments, daemon=True, name=f"worker{number}")
        process.start()
        theirs.close()
        return _Worker(number, process, ours, pulse)

    def _give(self, worker: _Worker, number: Number) -> None:
        worker.pending.append(number)
        with contextlib.suppress(OSError):  # it has died; `_wait` finds out and gives its tasks to the next
            worker.channel.send((number, self._tasks[number], worker.blocks.dropped()))

    def _wait(self, seconds: float) -> None:
        """Receive what workers have sent, waiting for it for some seconds; replace those that ended or hang."""
        channels = [worker.channel for worker in self._workers]
        sentinels = [worker.process.sentinel for worker in self._workers]
        found = set(connection.wait([*channels, *sentinels], min(seconds, self._timeout / 4)))
        for worker in list(self._workers):
            if worker.channel in found and not self._receive(worker):
                self._replace(worker, _exit_reason(worker.process))
            elif worker.process.sentinel in found:
                while worker.channel.poll() and self._receive(worker):
                    pass
                self._replace(worker, _exit_reason(worker.process))
            elif (reading := worker.pulse.reading()) is not None and reading.seconds > self._timeout:
                self._replace(worker, f"it read one sample for more than {self._timeout:g} s")

    def _receive(self, worker: _Worker) -> bool:
        """Take one result; False if the worker is gone."""
        try:
            number, result = worker.blocks.loads(worker.channel.recv_bytes())
        except _LOST:
            return False
        worker.pending.popleft()
        if self._tasks.pop(number, None) is not None:
            self._results[number] = result if self._thread is None else self._thread.submit(self._finish, result)  # type: ignore[arg-type]
        return True

    def _replace(self, worker: _Worker, reason: str) -> None:
        reading = worker.pulse.reading()
        worker.process.kill()
        worker.process.join()
        worker.channel.close()
        self._on_death(Death(worker.number, reading, reason))
        successor = self._workers[worker.number] = self._launch(worker.number)
        for number in worker.pending:
            if number in self._tasks:
                self._give(successor, number)


def _exit_reason(process: Any) -> str:
    process.join(_TICK_SEC)  # its pipe breaks a moment before it has ended
    code = process.exitcode
    if code is None:
        return "its pipe broke"
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"


def _stop(workers: Sequence[_Worker], owner: int) -> None:
    if os.getpid() != owner:  # a forked copy of the pool ends; the workers are not its own
        return
    for worker in workers:
        with contextlib.suppress(OSError):
            worker.channel.send(None)
    until = time.monotonic() + 0.5
    for worker in workers:
        worker.process.join(max(0.0, until - time.monotonic()))
        worker.process.kill()
        worker.process.join()
        worker.channel.close()
