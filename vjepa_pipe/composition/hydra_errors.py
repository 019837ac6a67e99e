"""Hydra's errors: as one line, and without the lines that Hydra prints of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from vjepa_pipe.config.errors import ConfigError


def plain_text(error: Exception) -> str:
    """An error of Hydra or OmegaConf in one line, without its internal fields."""
    if isinstance(error, ConfigError):
        return "; ".join(error.faults)
    causes = [error, error.__cause__] if error.__cause__ is not None else [error]
    text = str(causes[-1]) if "Error merging override" in str(error) else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = [
        line for line in lines if not re.match(r"(full_key|object_type|reference_type|See https|Set the env)", line)
    ]
    words = " ".join(kept)
    for pattern, plainly in _IN_PLAIN_WORDS.items():
        words = re.sub(pattern, plainly, words)
    key = getattr(error, "full_key", None)
    return f"{key}: {words}" if key and key not in words else words or type(error).__name__


_IN_PLAIN_WORDS = {
    r"^Multiple values for ([\w/]+)\. To override.*": r"\1 is chosen already: leave out the + before \1=",
    r"^Error parsing override '([^'=]*)'.*": r"\1 is not an override: they are KEY=VALUE, such as data.target_fps=4",
    r"^Could not override '((\w+)@image\.\2)'.*": r"\1 needs images beside the videos, such as image=folder",
    r" To append to your default list use \+\w+@.*": "",
    r" Config search path: .*": "",
    r"^\w+ raised while resolving interpolation: ": "",
}


@contextmanager
def quiet_job_errors() -> Iterator[None]:
    """In here Hydra raises a job's error without a line of its own before it: our message says what is wrong."""
    job_return: Any = JobReturn
    before = job_return.return_value

    def value_or_error(self: Any) -> Any:
        if self.status == JobStatus.FAILED:
            raise self._return_value
        return self._return_value

    job_return.return_value = property(value_or_error, before.fset)
    try:
        yield
    finally:
        job_return.return_value = before
