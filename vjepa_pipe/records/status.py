"""How a run stands: `status.json`, written by the run and judged by whoever reads it.

A run that is killed cannot write that it was. So a reader takes `running` as `killed` when the process is gone
or, for a run on another machine, when its file has not been touched for a while.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.records.files import read_record, write_json

STATUS = "status.json"
RUNNING, DONE, FAILED, KILLED, MISSING = "running", "done", "failed", "killed", "missing"
DAMAGED, PRUNED = "damaged", "pruned"
TOUCH_SEC = 30.0
GONE_AFTER_SEC = 10 * TOUCH_SEC
"""Longer than the clocks of two machines and the cache of a shared file system are apart."""


class Pruned(BaseException):
    """Ends a run that fell behind others of its search; no `Exception`, so that no task takes it for a fault."""


@dataclasses.dataclass(frozen=True)
class _Status:
    state: str
    attempt: int = 0
    started: float = 0.0
    host: str = ""
    job: str | None = None
    pid: int = -1
    process_started: float = 0.0
    ended: float | None = None
    seconds: float | None = None
    error: str | None = None
    traceback: str | None = None


def state_of(folder: Path) -> str:
    """`running`, `done`, `failed`, `killed`, `pruned`, `damaged`, or `missing` where nothing was started."""
    return str(read_status(folder).get("state", MISSING))


def read_status(folder: Path) -> dict[str, Any]:
    """The content of `status.json`, with `killed` in place of a `running` that is not true any more.

    Of a file that cannot be read, it says `damaged` and why: how a run stood must not keep it from running again.
    """
    file = folder / STATUS
    if not file.exists():
        return {}
    try:
        written = dataclasses.asdict(read_record(file, _Status))
    except UserError as error:
        return {"state": DAMAGED, "error": str(error)}
    status = {name: value for name, value in written.items() if value is not None}
    if status.get("state") == RUNNING and not _alive(file, status):
        status["state"] = KILLED
    return status


@contextmanager
def alone(folder: Path, refusal: str) -> Iterator[None]:
    """Within this context no other process is within one of the same folder.

    Raises:
        UserError: With this refusal, if another is.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise UserError(refusal) from error
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a process forked meanwhile has the descriptor too
        os.close(descriptor)


def _job() -> str | None:
    """The scheduler's name for what runs here, the same when it is requeued."""
    job = os.environ.get("SLURM_JOB_ID")
    return f"{job}.{os.environ.get('SLURM_STEP_ID', '0')}" if job else None


def _alive(file: Path, status: dict[str, Any]) -> bool:
    if status.get("host") != socket.gethostname():
        return time.time() - file.stat().st_mtime < GONE_AFTER_SEC
    import psutil

    try:
        process = psutil.Process(status["pid"])
        started = abs(process.create_time() - status["process_started"]) < 1.0
        return started and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError, OverflowError):  # the last two: a number that no process can have
        return False
    except psutil.AccessDenied:  # of another user, and so alive
        return True


class Heartbeat:
    """Touches a run's status file for as long as the run lasts, and writes how it ended.

    Args:
        folder: The run's.

    Raises:
        UserError: If a run is in it, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        import psutil

        earlier = read_status(folder)
        requeued = earlier.get("host") != socket.gethostname() and "job" in earlier and earlier["job"] == _job()
        if earlier.get("state") == RUNNING and not requeued:
            raise UserError(
                f"another run is in {folder} (process {earlier['pid']} on {earlier['host']}): "
                "choose another hydra.run.dir, or wait until it ends"
            )
        self._file = folder / STATUS
        self._content: dict[str, Any] = {
            "state": RUNNING,
            "attempt": earlier.get("attempt", 0) + 1,
            "started": time.time(),
            "host": socket.gethostname(),
            "job": _job(),
            "pid": os.getpid(),
            "process_started": psutil.Process().create_time(),
        }
        write_json(self._file, self._content)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._touch, name="heartbeat", daemon=True)
        self._thread.start()

    def end(self, state: str, **more: Any) -> None:
        """Write the last state.

        Raises:
            UserError: If it cannot be written.
        """
        self._ended.set()
        self._thread.join()
        now = time.time()
        seconds = round(now - self._content["started"], 3)
        write_json(self._file, self._content | {"state": state, "ended": now, "seconds": seconds} | more)

    def _touch(self) -> None:
        while not self._ended.wait(TOUCH_SEC):
            try:
                os.utime(self._file)
            except OSError:  # the folder was removed, or its disk is away: the run itself will say so
                return
