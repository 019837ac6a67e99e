"""Decoders that do to a worker what broken files do: hang in native code, crash, be killed."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vjepa_pipe.video import PyavDecoder


def hang() -> None:
    """Sleep in native code without giving the GIL back: no thread of this process runs any more."""
    ctypes.PyDLL(None).sleep(100_000)


def grow() -> None:
    """Take memory until the system ends this process, as it would where memory runs out."""
    time.sleep(0.6)  # as a large file takes its time to be opened; what was in use before is seen meanwhile
    taken = []
    for _ in range(20):
        taken.append(b"x" * 2**23)
        time.sleep(0.05)
    time.sleep(0.6)
    os.kill(os.getpid(), signal.SIGKILL)


HAZARDS = {
    "grow": grow,
    "hang": hang,
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "slow": lambda: time.sleep(0.4),
    "exit": lambda: os._exit(3),
}


FROM_OUTSIDE = {
    "once": (signal.SIGKILL, 1),
    "killed": (signal.SIGKILL, 3),
    "terminated": (signal.SIGTERM, 3),
    "alarmed": (signal.SIGALRM, 3),
    "stopped": (signal.SIGSTOP, 2),
}
"""A signal as somebody else would send it, and how often."""


def times(marker: Path) -> int:
    """How often this was called for a file, over all processes."""
    with marker.open("a") as file:
        file.write(".")
    return marker.stat().st_size


@dataclass(frozen=True)
class HazardousDecoder:
    """PyAV, but a file named after a hazard brings it about. Those of `FROM_OUTSIDE` do so the first times."""

    threads: int = 1
    name: ClassVar[str] = "hazardous"

    def open(self, path: str):
        kind = Path(path).stem.rstrip("0123456789")
        if kind in HAZARDS:
            HAZARDS[kind]()
        if kind in FROM_OUTSIDE and times(Path(path).with_suffix(".marker")) <= FROM_OUTSIDE[kind][1]:
            os.kill(os.getpid(), FROM_OUTSIDE[kind][0])
        return PyavDecoder().open(path)
