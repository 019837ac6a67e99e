"""A sweep's results as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from rich.console import Console
from rich.table import Table

LOG_WIDTH = 200
"""Columns of a table written to a file, where nothing says how wide it may be."""


def print_table(jobs: Sequence[JobReturn]) -> None:
    """A row for each point: its number, the settings that vary, its metrics."""
    settings = [dict(text.split("=", 1) for text in job.overrides or []) for job in jobs]
    varied = [
        key for key in dict.fromkeys(k for one in settings for k in one) if len({one.get(key) for one in settings}) > 1
    ]
    results: list[dict[str, Any]] = [job.return_value if isinstance(job.return_value, dict) else {} for job in jobs]
    metrics = list(dict.fromkeys(name for result in results for name in result))
    table = Table()
    for title in ("point", *(_short_names(varied)), *metrics):
        table.add_column(title, overflow="fold")
    for number, (one, result) in enumerate(zip(settings, results, strict=True)):
        table.add_row(
            str(number), *(one.get(key, "") for key in varied), *(str(result.get(name, "")) for name in metrics)
        )
    console = Console()
    if not console.is_terminal:
        console.width = LOG_WIDTH
    console.print(table)


def _short_names(keys: Sequence[str]) -> list[str]:
    """The last part of each dotted key, or all of it where two keys end alike."""
    last = [key.rpartition(".")[2] for key in keys]
    return [name if last.count(name) == 1 else key for key, name in zip(keys, last, strict=True)]
