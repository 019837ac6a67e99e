"""The three forms of a report, together."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from vjepa_pipe.config.errors import ConfigError, UserError
from vjepa_pipe.files.whole_file import write_whole
from vjepa_pipe.records import Run, find_runs, read_run
from vjepa_pipe.records.plan import PLAN, PLAN_FILE, POINTS, read_plan_file
from vjepa_pipe.report.design import Design
from vjepa_pipe.report.filters import Filters
from vjepa_pipe.report.findings import print_findings
from vjepa_pipe.report.metric import Asked, asked_in
from vjepa_pipe.report.page import page
from vjepa_pipe.report.results import ABSENT, Results, text
from vjepa_pipe.report.table import print_results, wide_console

CSV = "results.csv"
PAGE = "report.html"


def runs_in(folder: Path) -> list[Run]:
    """The points of a sweep, also those that have not run; or every run below a folder.

    A run that cannot be read, because a file is damaged or its plugin is gone, is left out, with a line on stderr.

    Raises:
        UserError: If there is none that can be read.
    """
    if (folder / PLAN / PLAN_FILE).is_file():
        planned = folder / PLAN / POINTS
        places: list[tuple[Path, Path | None]] = [
            (folder / p.folder, planned / f"{p.id}.yaml") for p in read_plan_file(folder).points
        ]
    else:
        places = [(run, None) for run in find_runs(folder)]
    runs = []
    fault: UserError | None = None
    for run, config in places:
        try:
            runs.append(read_run(run, config))
        except UserError as error:
            fault = error
            Console(stderr=True, soft_wrap=True).print(f"skipped {run}: {error}", markup=False, highlight=False)
    if fault is not None and not runs:
        raise UserError(f"{folder} holds no run that can be read: {fault}") from fault
    return runs


def report_runs(
    folders: Sequence[Path],
    into: Path,
    filters: Filters | None = None,
    page_number: int = 1,
    asked: Asked | None = None,
) -> None:
    """Print a table of the runs in some folders and what they say together, and write `results.csv` and `report.html`.

    Args:
        folders: Runs, sweeps, or folders that hold some.
        into: Where the two files are written.
        filters: Which of the runs; unset: all.
        page_number: Which of them are printed: see `print_results`.
        asked: What they are ranked by; unset: what the plan of a single sweep says, else the metric of their task.

    Raises:
        ConfigError: If a filter is not understood, or there is no such metric: then all else is reported first.
        UserError: If there are no runs, or the files cannot be written.
    """
    runs = [run for folder in folders for run in runs_in(folder)]
    results = Results(runs if filters is None else filters.apply(runs))
    design = Design(results)
    fault: ConfigError | None = None
    metric = None
    try:
        metric = (asked or _asked_in_plan(folders)).after_runs(results.runs)
    except ConfigError as error:
        fault = error
    print_results(results, page_number)
    if fault is None:
        print_findings(wide_console(), results, design, metric)
    write_whole(into / CSV, _csv(results))
    title = " ".join([*map(str, folders), *([str(filters)] if filters and str(filters) else [])])
    write_whole(into / PAGE, page(results, title, into, design, metric))
    Console().print(f"{into / CSV}\n{into / PAGE}", markup=False, highlight=False, soft_wrap=True)
    if fault is not None:
        raise fault


def _asked_in_plan(folders: Sequence[Path]) -> Asked:
    single = len(folders) == 1 and (folders[0] / PLAN / PLAN_FILE).is_file()
    return asked_in(read_plan_file(folders[0])) if single else Asked()


def _csv(results: Results) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_cells(["run", "state", *results.titles, *results.metrics, *results.same, "error"]))
    for run, row in zip(results.runs, results.rows(), strict=True):
        metrics = [*map(text, row["metrics"]), *(text(run.metrics.get(name)) for name in results.same)]
        writer.writerow(_cells([row["run"], row["state"], *row["settings"], *metrics, row["error"]]))
    return stream.getvalue()


def _cells(values: Sequence[Any]) -> list[Any]:
    """Text that a spreadsheet would run as a formula gets a quotation mark before it; numbers stay numbers."""
    return [f"'{value}" if isinstance(value, str) and _is_formula(value) else value for value in values]


def _is_formula(value: str) -> bool:
    if not value.startswith(("=", "+", "-", "@", "\t", "\r")) or value == ABSENT:
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False
