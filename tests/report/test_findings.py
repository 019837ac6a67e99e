"""What is printed below the table: effects, the ranking, the command that runs the best point again."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from swept import grid

from vjepa_pipe.records import Run
from vjepa_pipe.report import Asked, Results
from vjepa_pipe.report.design import Design
from vjepa_pipe.report.findings import print_findings, rerun_command


def printed(runs: list[Run]) -> str:
    results, stream = Results(runs), io.StringIO()
    metric = Asked().after_runs(runs)
    print_findings(Console(file=stream, width=100), results, Design(results), metric)
    return stream.getvalue()


@pytest.fixture
def runs() -> list[Run]:
    return grid(
        {"data_aug.random_erasing": [0, 0.25], "mask": ["tube"], "seed": [0, 1, 2]},
        lambda data_aug_random_erasing, mask, seed: {"top1": 0.5 + data_aug_random_erasing + seed / 99},
    )


def test_effects_and_the_best_point(runs: list[Run]) -> None:
    out = printed(runs)
    assert "effects on top1 (maximize)" in out
    (row,) = [line.split() for line in out.splitlines() if line.strip().startswith("0.25")]
    assert row == ["0.25", "3", "0.7601", "+0.25", "+0.25", "to", "+0.25", "higher"]
    assert "ranked: random_erasing = 0.25 is best" in out
    assert "best top1: 0.7601, mean of 3 seeds, with random_erasing = 0.25\n" in out
    assert "rerun sweep/003_abcdef01\n" in out


def test_where_there_is_nothing_to_say_nothing_is_said(runs: list[Run]) -> None:
    assert printed(runs[:3]) == ""  # only the seed varies
    assert "with one seed" in printed(runs[::3]) and "one seed" in printed(runs[::3])
    for run in runs:
        run.metrics = {"steps": 3}
    assert printed(runs) == "no metric to rank by: name one with --metric, or sweep.metric for a sweep\n"
    for run in runs:
        run.metrics = {}
    assert printed(runs) == ""


def test_a_command_is_one_for_a_shell(runs: list[Run]) -> None:
    runs[0].folder = runs[0].folder / "two words"
    runs[0].settings |= {"task.entry": "evil:main"}
    assert rerun_command(runs[0]).endswith("rerun 'sweep/000_abcdef01/two words' task.entry=...")
