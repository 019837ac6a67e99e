"""The progress bar of a stream."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from vjepa_pipe.tasks.summary import Summary


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
