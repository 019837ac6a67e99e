"""How a job's error leaves Hydra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.utils import JobReturn, JobStatus


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
