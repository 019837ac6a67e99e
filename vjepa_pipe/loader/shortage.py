"""What the machine has run out of, and what to change."""

from __future__ import annotations

import errno
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from vjepa_pipe.config.errors import UserError

_LESS = "lower data.num_workers, loader.prefetch_factor or data.batch_size"
_IN_TORCH = re.compile(r"(?:mmap|shared memory|shm|file descriptor|resize file).*\((\d+)\)\s*$", re.DOTALL)


class Shortage(UserError):
    """The system refuses a file descriptor, memory, a process or room in /dev/shm."""


def shortage(error: BaseException) -> Shortage | None:
    """The error that says what was refused and what to change; None if nothing was."""
    code = _code(error)
    if code in (errno.EMFILE, errno.ENFILE, errno.ETOOMANYREFS):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return Shortage(
            f"no file descriptors are left (ulimit -n is {limit}): raise it, keep fewer batches, or lower "
            "data.num_workers or loader.prefetch_factor"
        )
    if code == errno.ENOSPC:
        return Shortage(f"/dev/shm is full: make it larger (docker run --shm-size=8g), keep fewer batches, or {_LESS}")
    if code == errno.ENOMEM:
        return Shortage(f"no memory is left for batches or workers: {_LESS}, or keep fewer batches")
    if code == errno.EAGAIN:
        return Shortage("no more processes can be started: raise ulimit -u, or lower data.num_workers")
    return None


@contextmanager
def shortages_named() -> Iterator[None]:
    """Errors of the system that tell of a shortage leave as `Shortage`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        named = shortage(error)
        if named is None:
            raise
        raise named from error


def _code(error: BaseException) -> int | None:
    if isinstance(error, OSError):
        # A file that somebody writes is another matter.
        elsewhere = error.errno == errno.ENOSPC and not str(error.filename or "/dev/shm").startswith("/dev/shm")
        return None if elsewhere else error.errno
    found = _IN_TORCH.search(str(error)) if isinstance(error, RuntimeError) else None
    return int(found[1]) if found else None
