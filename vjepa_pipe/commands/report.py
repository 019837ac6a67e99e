"""`vjepa-pipe report DIR…`: results of runs and sweeps, also of those that are still running."""

from __future__ import annotations

from pathlib import Path

from vjepa_pipe.commands import parser_of
from vjepa_pipe.config.sweep import DIRECTIONS
from vjepa_pipe.report import Asked, Filters, report_runs


def main(arguments: list[str]) -> int:
    """Print a table and write `results.csv` and `report.html`."""
    parser = parser_of("report")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="a run, a sweep, or a folder of several")
    parser.add_argument("--name", metavar="PATTERN", help="only experiments or run folders of this name: 'ablation_*'")
    parser.add_argument("--task", help="only runs of this task: stream, external, ...")
    parser.add_argument(
        "--since", metavar="WHEN", help="only runs started since a date (2025-01-31), or since 12h or 3d ago"
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="only runs whose settings and metrics fulfil it: 'data.target_fps > 4 and mask == \"tube\"'; "
        "each one that is given must hold",
    )
    parser.add_argument("--metric", help="what the runs are ranked by; unset: the metric of the sweep or the task")
    parser.add_argument("--direction", choices=DIRECTIONS, help="whether it should be low or high; unset: by its name")
    parser.add_argument("--page", type=int, default=1, metavar="N", help="the runs that are printed, fifty at a time")
    parser.add_argument("--into", type=Path, help="where the files are written; unset: the first folder")
    given = parser.parse_args(arguments)
    filters = Filters(given.name, given.task, given.since, given.where)
    asked = Asked(given.metric, given.direction) if given.metric or given.direction else None
    report_runs(given.folders, given.into or given.folders[0], filters, given.page, asked)
    return 0
