"""Plans and results as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.frozen import leaves, plain
from vjepa_pipe.report.results import ABSENT, Results, short_names, text, varied_settings

LOG_WIDTH = 200
"""Columns of a table written to a file, where nothing says how wide it may be."""
_COLOURS = {"done": "green", "failed": "red", "killed": "red", "running": "yellow"}


def print_plan(experiments: Sequence[ExperimentConfig], seconds: float) -> None:
    """What a sweep would run: a row for each point, with only what varies."""
    settings = [dict(leaves(plain(experiment))) for experiment in experiments]
    varied = varied_settings(settings)
    table = _table(["point", *short_names(varied)])
    for number, one in enumerate(settings):
        table.add_row(str(number), *(escape(_setting(one.get(key, ABSENT))) for key in varied))
    console = _console()
    console.print(table)
    console.print(f"{len(experiments)} points planned in {seconds:.1f} s; nothing was run", highlight=False)


def print_results(results: Results) -> None:
    """A row for each run: the settings that vary and its metrics."""
    table = _table(["point", *short_names(results.varied), *results.metrics, "state"])
    for number, row in enumerate(results.rows()):
        state = f"[{_COLOURS.get(row['state'], 'dim')}]{row['state']}[/]"
        settings = [escape(_setting(value)) for value in row["settings"]]
        table.add_row(str(number), *settings, *(escape(text(value)) for value in row["metrics"]), state)
    _console().print(table)


def _setting(value: object) -> str:
    return "null" if value is None else text(value)


def _table(titles: Sequence[str]) -> Table:
    table = Table()
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console
