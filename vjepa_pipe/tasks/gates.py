"""What the gates of task=validate share: what they do when data does not pass, and files that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vjepa_pipe.config.errors import SampleError, UserError


class GateFailed(UserError):
    """What a gate found."""


def require(holds: bool, otherwise: str) -> None:
    """Raise `GateFailed` unless `holds`."""
    if not holds:
        raise GateFailed(otherwise)


class OpenedFiles:
    """The files that a gate has opened, and why some of them could not be read."""

    def __init__(self) -> None:
        self._opened: set[str] = set()
        self._reasons: dict[str, str] = {}

    @contextmanager
    def opening(self, path: str) -> Iterator[None]:
        """Read a file within this context; what follows in it is left out if the file cannot be read."""
        self._opened.add(path)
        try:
            yield
        except SampleError as error:
            self._reasons.setdefault(path, str(error))

    def __bool__(self) -> bool:
        return bool(self._opened)

    def __str__(self) -> str:
        first = f", the first: {next(iter(self._reasons.values()))}" if self._reasons else ""
        return f"{len(self._reasons)} of {len(self._opened)} files opened could not be read{first}"

    def require_all(self) -> None:
        """Raise `GateFailed` if a file could not be read."""
        require(not self._reasons, str(self))
