"""Plans and results as tables in the terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.records import Run
from vjepa_pipe.report.results import Results, short_names, text

LOG_WIDTH = 200
"""Columns of a table written to a file, where nothing says how wide it may be."""
ROWS = 50
"""Runs on a page."""
WIDEST = 30
"""Characters of a column; a longer value takes more lines."""
_FRAME = 3
"""Characters that a column takes besides its values."""
_COLOURS = {"done": "green", "failed": "red", "killed": "red", "running": "yellow", "pruned": "cyan"}


def print_plan(points: Sequence[Run], seconds: float) -> None:
    """What a sweep would run: a row for each point, with only what varies."""
    results = Results(points)
    console = wide_console()
    rows = [[str(i), *map(_setting, row["settings"])] for i, row in enumerate(results.rows())]
    _print_fitting(console, ["point", *short_names(results.titles)], rows, "")
    console.print(f"{len(points)} points planned in {seconds:.1f} s; nothing was run", highlight=False)


def print_results(results: Results, page: int = 1) -> None:
    """A row for each run of a page: its state, and the settings and metrics that differ between runs.

    Args:
        results: Of all runs.
        page: Which `ROWS` of them, from 1.

    Raises:
        UserError: If there is no such page.
    """
    console, count = wide_console(), len(results.runs)
    pages = max(1, -(-count // ROWS))
    if not 1 <= page <= pages:
        raise UserError(f"--page must be from 1 to {pages} (got {page})")
    first = (page - 1) * ROWS
    rows = [
        [row["run"], row["state"], *map(_setting, row["settings"]), *map(_metric, row["metrics"])]
        for row in results.rows()[first : first + ROWS]
    ]
    titles = ["point", "state", *short_names(results.titles), *results.metrics]
    _print_fitting(console, titles, rows, "results.csv and report.html have them")
    if results.same:
        same = ", ".join(f"{name}={text(value)}" for name, value in results.same.items())
        console.print(f"the same in all: {same}", markup=False, highlight=False, soft_wrap=True)
    if pages > 1:
        shown = f"runs {first + 1} to {first + len(rows)} of {count}: page {page} of {pages} (vjepa-pipe report --page)"
        console.print(shown, highlight=False)


def _print_fitting(console: Console, titles: Sequence[str], rows: Sequence[Sequence[str]], elsewhere: str) -> None:
    """As many columns as fit, the first of them first; the others are named below."""
    heads = [[title] for title in titles]
    widths = _widths(heads, rows)
    if sum(widths) + _FRAME * len(widths) >= console.width:  # titles on several lines then
        heads = [re.findall(r"[^_.]+[_.]*|[_.]+", title) for title in titles]
        widths = _widths(heads, rows)
    left, shown = console.width - 1, list[int]()
    for column, width in enumerate(widths):
        if width + _FRAME <= left:
            left -= width + _FRAME
            shown.append(column)
    shown = shown or [0]
    table = Table()
    for column in shown:
        table.add_column(_wrapped(heads[column], widths[column]), overflow="fold", max_width=widths[column])
    for row in rows:
        table.add_row(*(_cell(titles[column], row[column]) for column in shown))
    console.print(table)
    if hidden := [title for column, title in enumerate(titles) if column not in shown]:
        line = f"{len(hidden)} more columns than fit here: {', '.join(hidden)}{f'; {elsewhere}' if elsewhere else ''}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _widths(heads: Sequence[Sequence[str]], rows: Sequence[Sequence[str]]) -> list[int]:
    """Of each column: its longest value or part of its title. The first, which says which run it is, is never cut."""
    longest = [max(map(cell_len, [*head, *(row[i] for row in rows)])) for i, head in enumerate(heads)]
    return longest[:1] + [min(width, WIDEST) for width in longest[1:]]


def _wrapped(parts: Sequence[str], width: int) -> str:
    """A title on as many lines as it needs, broken only between its parts."""
    lines = [""]
    for part in parts:
        if lines[-1] and cell_len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return escape("\n".join(lines))


def _cell(title: str, value: str) -> str:
    return f"[{_COLOURS.get(value, 'dim')}]{escape(value)}[/]" if title == "state" else escape(value)


def _setting(value: object) -> str:
    return "null" if value is None else text(value)


def _metric(value: object) -> str:
    """With four digits; `results.csv` has more."""
    return f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else text(value)


def wide_console(stderr: bool = False) -> Console:
    """A console whose tables are not cut where they go into a file."""
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console
