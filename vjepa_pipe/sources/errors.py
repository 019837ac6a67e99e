"""The errors of this folder: a source that cannot be used, an episode that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from vjepa_pipe.config.errors import ConfigError, SampleError, UserError
from vjepa_pipe.storage import ObjectError, RemoteFile, shown_path


class SourceError(UserError, ValueError):
    """A source of samples cannot be used as written; the text is `PATH: reason`, on one line.

    Args:
        path: The annotation file or folder; of a URL, what may be shown is kept.
        reason: What is wrong with it, and where.
    """

    def __init__(self, path: str | Path | RemoteFile, reason: str) -> None:
        # Both arguments stay in `args`, so that the error survives the way back from a worker.
        super().__init__(shown_path(str(path)), reason)
        self.path = shown_path(str(path))
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


Read = TypeVar("Read")


def read_all(reads: Iterable[Callable[[], Read]]) -> list[Read]:
    """Read several sources, and say of all that cannot be used what is wrong with them, at once.

    Raises:
        SourceError: One cannot be used.
        ConfigError: Several cannot.
    """
    found, errors = [], []
    for read in reads:
        try:
            found.append(read())
        except SourceError as error:
            errors.append(error)
    if len(errors) > 1:
        raise ConfigError([str(error) for error in errors]) from errors[0]
    if errors:
        raise errors[0]
    return found


@contextmanager
def as_source_error() -> Iterator[None]:
    """An object that cannot be read or listed leaves as a `SourceError`."""
    try:
        yield
    except ObjectError as error:
        raise SourceError(str(error.filename), error.reason) from None


class EpisodeError(SampleError, ValueError):
    """A robot episode that cannot be read as recorded; the text is `PATH: reason`, on one line.

    Args:
        path: The episode's folder or file.
        reason: What is wrong with it.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(shown_path(str(path)), reason)
        self.path = shown_path(str(path))
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"
