"""What runs say together, as text in the terminal: effects of settings on the metric, the best point."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.program import program
from vjepa_pipe.records import Run
from vjepa_pipe.report.design import Design
from vjepa_pipe.report.effects import main_effects
from vjepa_pipe.report.intervals import Interval
from vjepa_pipe.report.metric import Metric
from vjepa_pipe.report.ranking import rank
from vjepa_pipe.report.results import Results

MAX_ROWS = 40
ONE_SEED, TIED = "one seed", "not distinguished"


def print_findings(console: Console, results: Results, design: Design, metric: Metric | None) -> None:
    """The effect of each setting on the metric, whether the points can be ranked, and how to run the best one again.

    Nothing is printed where nothing varies but the seed, or the runs are of several tasks.
    """
    tasks = {run.settings.get("task._target_") for run in results.runs}
    if not design.factors or not any(run.metrics for run in results.runs) or (metric is None and len(tasks) > 1):
        return
    if metric is None:
        console.print("no metric to rank by: name one with --metric, or sweep.metric for a sweep", highlight=False)
        return
    ranking = rank(design, metric)
    if not ranking.points:
        return
    if effects := list(_rows(design, metric)):
        console.print(_effects_table(effects, metric))
    best = ranking.points[0]
    lines = [
        ranking.verdict,
        f"best {metric.name}: {best.mean:.4g}, mean of {counted(design.seeds, 'seed')}, with {best.settings}",
        f"run it again: {rerun_command(results.runs[best.run])}",
        *design.notes,
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def rerun_command(run: Run) -> str:
    """The command that runs a run again; what a record must not choose is left to be typed."""
    typed = [f"{name}=..." for name in ("task.entry", "task.path") if run.settings.get(name)]
    return " ".join([program(), "rerun", shlex.quote(str(run.folder)), *typed])


def _effects_table(rows: Sequence[Sequence[str]], metric: Metric) -> Table:
    heading = f"effects on {metric.name} ({metric.direction})"
    table = Table(title=escape(heading), title_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("setting", "value", "runs", "mean", "change", "95 % interval", ""):
        table.add_column(title, justify="left" if title in ("setting", "value", "") else "right")
    for row in rows[:MAX_ROWS]:
        table.add_row(*map(escape, row))
    return table


def _rows(design: Design, metric: Metric) -> Iterator[list[str]]:
    for effect in main_effects(design, metric.name):
        for i, level in enumerate(effect.levels):
            name = "" if i else effect.factor
            yield [name, level.value, str(level.runs), f"{level.mean:.4g}", *_change(level.change)]


def _change(change: Interval | None) -> tuple[str, str, str]:
    """A change, its interval and what it comes to."""
    if change is None:
        return "", "", ""
    if change.low is None or change.high is None:
        return f"{change.mean:+.3g}", "", ONE_SEED
    told = ("higher" if change.mean > 0 else "lower") if change.distinguished else TIED
    return f"{change.mean:+.3g}", f"{change.low:+.3g} to {change.high:+.3g}", told
