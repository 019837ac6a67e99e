"""Decoders that do to a worker what broken files do: hang in native code, crash, be killed."""

from __future__ import annotations

import ctypes
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vjepa_pipe.video import PyavDecoder


def hang() -> None:
    """Sleep in native code without giving the GIL back: no thread of this process runs any more."""
    ctypes.PyDLL(None).sleep(100_000)


HAZARDS = {
    "hang": hang,
    "segfault": lambda: ctypes.string_at(0),
    "sigkill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(3),
}


@dataclass(frozen=True)
class HazardousDecoder:
    """PyAV, but a file named after a hazard brings it about. One named `once` does so the first time only."""

    threads: int = 1
    name: ClassVar[str] = "hazardous"

    def open(self, path: str):
        kind = Path(path).stem.rstrip("0123456789")
        if kind in HAZARDS:
            HAZARDS[kind]()
        marker = Path(path).with_suffix(".marker")
        if kind == "once" and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return PyavDecoder().open(path)
