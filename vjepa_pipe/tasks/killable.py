"""Work on many items in processes that can be killed: a file may hang a decoder where no exception reaches."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from vjepa_pipe.config.errors import SampleError, UserError
from vjepa_pipe.loader.start_method import use_a_known_start_method
from vjepa_pipe.storage import never_forks

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class Outcome(Generic[Item, Result]):
    """What became of an item: a result, or what went wrong on one line."""

    item: Item
    result: Result | None = None
    error: str | None = None


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    started: bool = False
    item: Any = None
    deadline: float = float("inf")


def map_killable(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, timeout: float
) -> Iterator[Outcome[Item, Result]]:
    """Yield the outcome of `function` for every item, in the order in which they end.

    Args:
        function: A function of a module, called in another process.
        items: Its arguments; they are picked up as workers fall free.
        workers: Processes at a time.
        timeout: Seconds for an item. Its process is then killed and another takes its place.

    Raises:
        UserError: If the function has raised one that is not a `SampleError`: the fault is not the item's.
    """
    left, pool = iter(items), [_start(function) for _ in range(workers)]
    try:
        busy = [worker for worker in pool if _give(worker, left, timeout)]
        while busy:
            soonest = min(worker.deadline for worker in busy)
            ready = set(wait([worker.pipe for worker in busy], max(0.0, soonest - time.monotonic())))
            for index, worker in enumerate(busy):
                if worker.pipe in ready or time.monotonic() > worker.deadline:
                    outcome = _outcome(worker, worker.pipe in ready, timeout)
                    if not worker.process.is_alive() or outcome.error in (_timed_out(timeout), DIED):
                        _stop(worker)
                        pool.remove(worker)
                        pool.append(worker := _start(function))
                        busy[index] = worker
                    worker.item = None
                    yield outcome
            busy = [worker for worker in busy if worker.item is not None or _give(worker, left, timeout)]
    finally:
        for worker in pool:
            _stop(worker)


TIMED_OUT = "not done after"
DIED = "its process died (out of memory, or a crash in a decoder)"
NOT_STARTED = (
    "a worker process ended before it had begun, as what it has printed says; a script of your own needs "
    "`if __name__ == '__main__':` before what it runs"
)


def was_killed(error: str) -> bool:
    """Whether an item's process died or took too long, which need not be the item's fault."""
    return error == DIED or error.startswith(TIMED_OUT)


def _timed_out(timeout: float) -> str:
    return f"{TIMED_OUT} {timeout:g} s"


def _outcome(worker: _Worker, ready: bool, timeout: float) -> Outcome[Any, Any]:
    if not ready:
        return Outcome(worker.item, error=_timed_out(timeout))
    try:
        result, error = worker.pipe.recv()
    except (EOFError, OSError):  # the latter if it had not read the item yet
        return Outcome(worker.item, error=DIED)
    if isinstance(error, UserError):
        raise error
    return Outcome(worker.item, result, error)


def _give(worker: _Worker, left: Iterator[Any], timeout: float) -> bool:
    for item in left:
        if not worker.started:  # importing takes seconds, which are not the item's
            try:
                worker.started = bool(worker.pipe.recv())
            except (EOFError, OSError) as error:
                raise UserError(NOT_STARTED) from error
        worker.item, worker.deadline = item, time.monotonic() + timeout
        with suppress(OSError):  # it has died meanwhile, which is seen when its answer is awaited
            worker.pipe.send(item)
        return True
    return False


def _start(function: Callable[[Any], Any]) -> _Worker:
    use_a_known_start_method()
    # Forked from one process that has imported everything: a file that hangs then costs its time-out and no more.
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload([__name__, getattr(function, "func", function).__module__])
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(function, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _serve(function: Callable[[Any], Any], pipe: Connection) -> None:
    never_forks()
    pipe.send("started")
    while True:
        try:
            item = pipe.recv()
        except (EOFError, OSError):
            return
        answer: tuple[Any, str | UserError | None]
        try:
            answer = function(item), None
        except Exception as error:  # whatever a file does to a library becomes a line about that file
            said = " ".join(f"{error or type(error).__name__}".split())
            of_the_item = isinstance(error, SampleError) or not isinstance(error, UserError)
            answer = None, said if of_the_item else UserError(said)
        pipe.send(answer)


def _stop(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.kill()
    worker.process.join()
