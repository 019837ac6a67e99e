"""Plans and results as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vjepa_pipe.records import Run
from vjepa_pipe.report.results import Results, short_names, text

LOG_WIDTH = 200
"""Columns of a table written to a file, where nothing says how wide it may be."""
_COLOURS = {"done": "green", "failed": "red", "killed": "red", "running": "yellow"}


def print_plan(points: Sequence[Run], seconds: float) -> None:
    """What a sweep would run: a row for each point, with only what varies."""
    results = Results(points)
    table = _table(["point", *short_names(results.titles)])
    for number, row in enumerate(results.rows()):
        table.add_row(str(number), *(escape(_setting(value)) for value in row["settings"]))
    console = wide_console()
    console.print(table)
    console.print(f"{len(points)} points planned in {seconds:.1f} s; nothing was run", highlight=False)


def print_results(results: Results) -> None:
    """A row for each run: the settings that vary and its metrics."""
    table = _table(["point", *short_names(results.titles), *results.metrics, "state"])
    for number, row in enumerate(results.rows()):
        state = f"[{_COLOURS.get(row['state'], 'dim')}]{escape(row['state'])}[/]"
        settings = [escape(_setting(value)) for value in row["settings"]]
        table.add_row(str(number), *settings, *(escape(text(value)) for value in row["metrics"]), state)
    wide_console().print(table)


def _setting(value: object) -> str:
    return "null" if value is None else text(value)


def _table(titles: Sequence[str]) -> Table:
    table = Table()
    for title in titles:
        table.add_column(escape(title), overflow="fold")
    return table


def wide_console(stderr: bool = False) -> Console:
    """A console whose tables are not cut where they go into a file."""
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console
