"""`vjepa-pipe report DIR…`: results of runs and sweeps, also of those that are still running."""

from __future__ import annotations

from pathlib import Path

from vjepa_pipe.commands import parser_of
from vjepa_pipe.report import report_runs


def main(arguments: list[str]) -> int:
    """Print a table and write `results.csv` and `report.html`."""
    parser = parser_of("report")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="a run, a sweep, or a folder of several")
    parser.add_argument("--into", type=Path, help="where the files are written; unset: the first folder")
    given = parser.parse_args(arguments)
    report_runs(given.folders, given.into or given.folders[0])
    return 0
