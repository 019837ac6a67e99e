"""Results of runs and sweeps: a table, a csv file, a page."""

from vjepa_pipe.report.filters import Filters
from vjepa_pipe.report.metric import Asked
from vjepa_pipe.report.report import report_runs, runs_in
from vjepa_pipe.report.results import Results
from vjepa_pipe.report.table import print_plan, print_results, wide_console

__all__ = [
    "Asked",
    "Filters",
    "Results",
    "print_plan",
    "print_results",
    "report_runs",
    "runs_in",
    "wide_console",
]
