"""The three forms of a report, together."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from vjepa_pipe.records import Run, find_runs, read_run
from vjepa_pipe.records.files import read_json, write_whole
from vjepa_pipe.report.page import page
from vjepa_pipe.report.results import Results, text
from vjepa_pipe.report.table import print_results

CSV = "results.csv"
PAGE = "report.html"


def runs_in(folder: Path) -> list[Run]:
    """The points of a sweep, also those that have not run; or every run below a folder.

    Raises:
        UserError: If there is none, or one cannot be read.
    """
    plan = folder / "plan"
    if not (plan / "plan.json").is_file():
        return find_runs(folder)
    points = read_json(plan / "plan.json")["points"]
    return [read_run(folder / point["folder"], plan / "points" / f"{point['id']}.yaml") for point in points]


def report_sweep(sweep_dir: Path) -> None:
    """Print the table of a sweep and write its files into its folder."""
    report_runs([sweep_dir], sweep_dir)


def report_runs(folders: Sequence[Path], into: Path) -> None:
    """Print a table of all runs in some folders, and write `results.csv` and `report.html`.

    Args:
        folders: Runs, sweeps, or folders that hold some.
        into: Where the two files are written.

    Raises:
        UserError: If there are no runs, or the files cannot be written.
    """
    results = Results([run for folder in folders for run in runs_in(folder)])
    print_results(results)
    write_whole(into / CSV, _csv(results))
    write_whole(into / PAGE, page(results, " ".join(str(folder) for folder in folders)))
    Console().print(f"{into / CSV}\n{into / PAGE}", highlight=False, soft_wrap=True)


def _csv(results: Results) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["run", "state", *results.titles, *results.metrics, "error"])
    for row in results.rows():
        metrics = [text(value) for value in row["metrics"]]
        writer.writerow([row["run"], row["state"], *row["settings"], *metrics, row["error"]])
    return stream.getvalue()
