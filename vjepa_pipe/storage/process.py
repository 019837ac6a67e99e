"""Where requests are made: in this process if it never forks, else in a child of its own.

A process that is forked from one that has used obstore waits for ever at its first request. Workers of a loader never
fork; the main process forks them, so it must not use obstore itself, and has a child that does. The child is started
when it is first needed, again when the variables that hold credentials have changed, and ends with its parent.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from vjepa_pipe.config.extras import import_extra
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.config.urls import EXTRA
from vjepa_pipe.storage.errors import Transient

MORE_SEC = 30.0
"""Granted to the child beyond the time-outs of its request: it may have to start, or to ask for credentials."""

_READ_BY_CLIENTS = ("AWS_", "AZURE_", "GOOGLE_", "HOME", "SSL_CERT_")
_START = (
    "import sys; from multiprocessing.connection import Connection; parent = Connection(int(sys.argv[1])); "
    "sys.path = parent.recv(); from vjepa_pipe.storage.process import serve; serve(parent)"
)

REQUESTS_AT_ONCE = 16
"""Requests of a process that are under way together: at 100 ms each, 160 in a second."""

_direct = 0  # id of the process that may make requests itself


def never_forks() -> None:
    """Requests are made in this process from now on; it must not fork."""
    global _direct
    _direct = os.getpid()


def request_threads(count: int = REQUESTS_AT_ONCE) -> ThreadPoolExecutor | None:
    """Threads that make requests; None in a process that may fork, which makes one after another.

    Args:
        count: How many; the same threads are given for the same number.
    """
    return _threads(count) if _direct == os.getpid() else None


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "request")


def require_obstore() -> None:
    """Raises UserError, which says how to install it, if obstore is not there; it is not imported."""
    if find_spec("obstore") is None:
        import_extra("obstore", EXTRA)


def perform(operation: str, config: StorageConfig, *arguments: Any) -> Any:
    """The result of a function of `object_stores`, whose errors are raised here.

    Raises:
        UserError: If obstore is not installed.
        Transient: If there is no answer in time, whatever holds it up.
    """
    require_obstore()
    if _direct == os.getpid():
        return _operation(operation)(config, *arguments)
    with _lock:
        ok, result = _asked((operation, config, arguments), 2 * config.timeout_sec + MORE_SEC)
    if not ok:
        raise result
    return result


def serve(parent: Connection) -> None:
    """The life of the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent decides
    with contextlib.suppress(EOFError, OSError):
        while True:
            operation, config, arguments = parent.recv()
            try:
                answer = True, _operation(operation)(config, *arguments)
            except Exception as error:
                answer = False, error
            parent.send(answer)


def _operation(name: str) -> Any:
    import_extra("obstore", EXTRA)  # which may be there and not run on this machine
    return getattr(importlib.import_module("vjepa_pipe.storage.object_stores"), name)


class _Child:
    """A process that makes requests, with the credentials and proxies that this one has now."""

    def __init__(self) -> None:
        self.environment = _environment()
        self.connection, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-c", _START, str(theirs.fileno())]
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self.connection.send(sys.path)

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()


_lock = threading.Lock()
_child: _Child | None = None


def _asked(request: Any, seconds: float) -> Any:
    global _child
    if _child is not None and _child.environment != _environment():
        _end_child()
    try:
        _child = _child or _Child()
        _child.connection.send(request)
        if _child.connection.poll(seconds):
            return _child.connection.recv()
        fault = f"no answer within {seconds:g} s"
    except (EOFError, ConnectionError):
        fault = "the process that asks it has ended"
    _end_child()
    raise Transient(fault)


def _environment() -> dict[str, str]:
    """The variables that clients read."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.upper().startswith(_READ_BY_CLIENTS) or name.upper().endswith("_PROXY")
    }


def _end_child() -> None:
    global _child
    if _child is not None:
        _child.end()
    _child = None


def _forget() -> None:
    """In a process that was forked: the child is its parent's."""
    global _lock, _child
    _lock = threading.Lock()
    if _child is not None:
        _child.connection.close()
        _child.process.returncode = 0  # not ours to wait for
    _child = None


atexit.register(_end_child)
os.register_at_fork(after_in_child=_forget)
