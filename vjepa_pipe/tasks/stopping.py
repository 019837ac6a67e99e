"""Stopping in good order when a scheduler asks for the machine back, and going on later."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.records.files import read_json, write_json

STATE = "state.json"
"""Where a run stands, beside whatever else its task keeps."""
NEWEST = "checkpoints/latest"
"""The name of a training's newest checkpoint, beside the checkpoints."""
STOPPED = 128 + signal.SIGTERM
"""Exit status of a run that SIGTERM stopped, as a shell gives it: what is left can be resumed."""


class Sigterm:
    """Notes SIGTERM, which SLURM and others send some seconds before they end a job, instead of dying of it.

    Outside the main thread no signal can be handled; there SIGTERM ends the process, as ever.

    Attributes:
        received: It has come.
    """

    def __init__(self) -> None:
        self.received = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (what a handler is called with)
        self.received = True


def save_state(file: Path, state: Mapping[str, Any]) -> None:
    """Write a loader's state so that the file is always whole, whenever the process or the machine stops.

    Raises:
        UserError: If it cannot be written.
    """
    write_json(file, state)


def read_state(path: str | Path) -> Any:
    """The state in a file, or in a run's folder.

    Raises:
        UserError: If it cannot be read.
    """
    path = Path(path)
    try:
        return read_json(path / STATE if path.is_dir() else path)
    except UserError as error:
        raise UserError(f"task.resume: {error}") from error
