"""Processes of workers: how they are started, and how they end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing import process as multiprocessing_process
from multiprocessing import reduction
from typing import Any, Protocol

import psutil

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.loader.channel import Channel, contents_of, file_of
from vjepa_pipe.loader.shortage import shortage

GUARD = 'put what the script does under `if __name__ == "__main__":`'
_UNGUARDED = 96
_OWN_SIGNALS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


class CannotStart(UserError):
    """A worker ends before its first sample, for a reason that would end the next one too."""


class WorkerProcess(Protocol):
    """One worker's process, however it was started."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def exit_code(self) -> int | None:
        """As `multiprocessing.Process.exitcode`; None while it runs, and if nobody has seen its end."""

    def wait(self, seconds: float) -> bool:
        """Wait for its end, at most for some seconds; whether it has come."""

    def kill(self) -> None:
        """Send SIGKILL."""


class Launcher(Protocol):
    """Starts workers."""

    def launch(self, number: int) -> tuple[WorkerProcess, Channel]:
        """Start a worker; its process, and this end of the connection to it."""

    def close(self) -> None:
        """No more workers will be wanted."""


class Parcel:
    """What a worker is given, unpickled only when it is opened, so that an error there is the worker's to report.

    Pickled while a process is started, it travels as a file without a name: a pipe of `multiprocessing` would keep the
    main process waiting for a worker that is busy importing.
    """

    def __init__(self, *content: Any) -> None:
        self._content = content

    def open(self) -> Any:
        """What it holds."""
        return self._content

    def __reduce__(self) -> tuple[Any, ...]:
        try:
            content = bytes(reduction.ForkingPickler.dumps(self._content))
        except Exception as error:  # whatever the methods of somebody else's class raise
            if isinstance(error, OSError) or shortage(error):
                raise  # of the system, which has run out of something
            raise CannotStart(
                f"a worker cannot be given {_unpicklable(self._content)}: {error}; make it where it is first used, "
                "not in __init__, or set loader.start_method=fork"
            ) from error
        fd = file_of(content)
        self._file = os.fdopen(fd, "rb")  # open until this is gone: the process is not started yet
        return _Sealed, (reduction.DupFd(fd),)


def _unpicklable(value: Any, name: str = "") -> str:
    """The innermost thing within a value that pickle refuses, as `Class.attribute`."""
    parts = enumerate(value) if isinstance(value, (list, tuple)) else dict(getattr(value, "__dict__", {})).items()
    for attribute, part in parts:
        try:
            reduction.ForkingPickler.dumps(part)
        except Exception:
            return _unpicklable(part, f"{type(value).__qualname__}.{attribute}")
    return name or type(value).__qualname__


class _Sealed:
    def __init__(self, fd: Any) -> None:
        self._fd = fd

    def open(self) -> Any:
        return reduction.ForkingPickler.loads(contents_of(self._fd.detach()))


class Spawner:
    """Starts each worker by itself, with spawn or forkserver.

    Args:
        context: A multiprocessing context.
        run: What a worker runs, given its number, its end of the connection and the arguments.
        arguments: Of each worker, made anew for each.
    """

    def __init__(self, context: Any, run: Callable[..., None], arguments: Callable[[int], tuple[Any, ...]]) -> None:
        self._context, self._run, self._arguments = context, run, arguments

    def launch(self, number: int) -> tuple[WorkerProcess, Channel]:
        """Start a worker.

        Raises:
            CannotStart: If the main process cannot be imported by it.
        """
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise SystemExit(_UNGUARDED)  # a worker, which imports the script: the main process says why
        ours, theirs = Channel.pair()
        arguments = (number, theirs, *self._arguments(number))
        process = self._context.Process(target=self._run, args=arguments, daemon=True, name=f"worker{number}")
        try:
            start_unlisted(process)
        except (ConnectionError, EOFError, FileNotFoundError) as error:
            ours.close()
            raise ended_before_start(number, _UNGUARDED, self._context.get_start_method()) from error
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return SpawnedProcess(process), ours

    def close(self) -> None:
        """Nothing is kept."""


class SpawnedProcess:
    """A child of this process.

    Args:
        process: One of `multiprocessing` that has been started.
    """

    def __init__(self, process: Any) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self._process.pid)

    @property
    def exit_code(self) -> int | None:
        """Its exit status, or minus a signal."""
        code: int | None = self._process.exitcode
        return code

    def wait(self, seconds: float) -> bool:
        """Wait for its end."""
        self._process.join(seconds)
        return self._process.exitcode is not None

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()


def start_unlisted(process: Any) -> None:
    """Start a process of `multiprocessing` that nobody but its owner ends.

    Those that `multiprocessing` lists are sent SIGTERM when any copy of this process exits, also one that the trainer
    has forked.
    """
    process.start()
    multiprocessing_process._children.discard(process)  # type: ignore[attr-defined]


def ended_before_start(number: int, code: int | None, method: str) -> CannotStart:
    """The error for a worker that has ended by itself before it had started."""
    hint = "" if method == "fork" else f"; with loader.start_method={method} each worker imports the script: {GUARD}"
    said = "" if code == _UNGUARDED else f" ({how_it_ended(code)}), what it said stands above"
    return CannotStart(f"worker {number} ended before it had started{said}{hint}")


def how_it_ended(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "its connection broke"
    if code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        advice = "; is /dev/shm full, or a file cut while it was read?" if -code == signal.SIGBUS else ""
        return f"killed by signal {-code}, {signal.Signals(-code).name}{advice}"
    return f"killed by signal {-code}"


def by_itself(code: int | None) -> bool:
    """Whether what a process did has ended it; SIGKILL, SIGTERM and the like come from outside."""
    return code is not None and (code >= 0 or -code in _OWN_SIGNALS)


def state_of(pid: int) -> tuple[bool, int]:
    """Whether a process is stopped, as by SIGSTOP or a debugger, and the bytes of memory that it has in use."""
    try:
        process = psutil.Process(pid)
        stopped = process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
        return stopped, process.memory_info().rss
    except psutil.Error:
        return False, 0


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs; one that nobody has waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
