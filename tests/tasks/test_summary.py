"""What a run says at its end."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from vjepa_pipe.loader import Report
from vjepa_pipe.loader.sampler import Place
from vjepa_pipe.tasks.summary import Summary


def said(summary: Summary) -> str:
    stream = io.StringIO()
    summary.print(Console(file=stream, width=200), Path("quarantine.jsonl"))
    return stream.getvalue()


def test_whose_clips_they_are_and_from_where_they_count():
    report = Report({"a": "a.csv"})
    assert said(Summary(report)) == "0 clips in 0.0 s, 0.0 clips/s, waited 0.0 s, 0 replaced\n"
    report.first = Place(0, 0)
    assert "counted from" not in said(Summary(report))
    report.first = Place(1, 0)
    line = said(Summary(report, ranks=4))
    assert line.startswith("rank 0 of 4: 0 clips in 0.0 s, counted from epoch 1, batch 0, ")
    assert report.bad_rows_told
