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
from pathlib import Path
from typing import Any

from vjepa_pipe.records.files import read_record, write_json

STATUS = "status.json"
RUNNING, DONE, FAILED, KILLED, MISSING = "running", "done", "failed", "killed", "missing"
TOUCH_SEC = 30.0
GONE_AFTER_SEC = 10 * TOUCH_SEC
"""Longer than the clocks of two machines and the cache of a shared file system are apart."""


@dataclasses.dataclass(frozen=True)
class _Status:
    state: str
    attempt: int = 0
    started: float = 0.0
    host: str = ""
    pid: int = -1
    process_started: float = 0.0
    ended: float | None = None
    seconds: float | None = None
    error: str | None = None
    traceback: str | None = None


def state_of(folder: Path) -> str:
    """`running`, `done`, `failed`, `killed`, or `missing` where nothing was started."""
    return str(read_status(folder).get("state", MISSING))


def read_status(folder: Path) -> dict[str, Any]:
    """The content of `status.json`, with `killed` in place of a `running` that is not true any more.

    Raises:
        UserError: If the file cannot be read.
    """
    file = folder / STATUS
    if not file.exists():
        return {}
    written = dataclasses.asdict(read_record(file, _Status))
    status = {name: value for name, value in written.items() if value is not None}
    if status.get("state") == RUNNING and not _alive(file, status):
        status["state"] = KILLED
    return status


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
    """Touches a run's status file for as long as the run lasts, and writes how it ended."""

    def __init__(self, folder: Path, attempt: int) -> None:
        import psutil

        self._file = folder / STATUS
        self._content: dict[str, Any] = {
            "state": RUNNING,
            "attempt": attempt,
            "started": time.time(),
            "host": socket.gethostname(),
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
