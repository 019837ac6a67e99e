"""Progress bars, and what is said of files that have been worked through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from vjepa_pipe.sources.probed.index_file import fault
from vjepa_pipe.tasks.summary import Summary

COMMONEST = 5
"""Faults of files that are named."""


class StreamProgress:
    """A bar over batches with clips per second, time waited for data and bad files.

    Args:
        console: Where it is drawn.
        batches: How many batches are expected.
        shown: False draws nothing.
    """

    def __init__(self, console: Console, batches: int, shown: bool) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not shown,
        )
        self._task = self._progress.add_task("stream", total=batches, figures="starting")

    def __enter__(self) -> StreamProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, summary: Summary) -> None:
        """One more batch."""
        rate = summary.metrics()["clips_per_sec"]
        figures = f"{rate:.1f} clips/s, waited {summary.wait_sec:.1f} s, {summary.replaced} bad"
        self._progress.update(self._task, advance=1, figures=figures)


@contextmanager
def count_progress(console: Console, name: str, total: int, completed: int) -> Iterator[Callable[[], None]]:
    """A bar that counts files.

    Args:
        console: Where it is drawn.
        name: What stands before it.
        total: Files in all.
        completed: Those that are done already.

    Yields:
        What to call when another file is done.
    """
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        yield partial(progress.advance, progress.add_task(name, total=total, completed=completed))


def print_faults(console: Console, errors: Mapping[str, str]) -> None:
    """Say what is wrong with files, given by path, the commonest faults first."""
    reasons = Counter(fault(path, error) for path, error in errors.items())
    for reason, count in reasons.most_common(COMMONEST):
        console.print(f"  {count} x {reason}", markup=False, highlight=False, soft_wrap=True)
