"""Results in the terminal: what differs, as wide as the terminal, fifty at a time."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from vjepa_pipe.config import UserError
from vjepa_pipe.records import Run
from vjepa_pipe.report import Results, print_results, table
from vjepa_pipe.report.results import short_names


def runs(count: int) -> list[Run]:
    return [
        Run(
            Path(f"{i:03d}_abcdef01"),
            {"seed": i, "data.img_size": 64, "data_aug.random_erasing": i / 7, "data.source_names": ["x" * 60, str(i)]},
            {},
            set(),
            {"state": "done"},
            {"clips": 8, "clips_per_sec": 10 + i / 3, "mask.short.encoder": 0.2 + i / 99, "note": "same"},
        )
        for i in range(count)
    ]


def printed(results: Results, width: int, monkeypatch: pytest.MonkeyPatch, page: int = 1) -> str:
    stream = io.StringIO()
    monkeypatch.setattr(table, "wide_console", lambda: Console(file=stream, width=width))
    print_results(results, page)
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_the_table_fits(width: int, monkeypatch: pytest.MonkeyPatch):
    lines = printed(Results(runs(3)), width, monkeypatch).splitlines()
    drawn = [line for line in lines if line.startswith(tuple("┏┃┡│└"))]
    assert drawn and max(map(len, drawn)) <= width
    assert all(any(f"{i:03d}_abcdef01" in line for line in drawn) for i in range(3))
    (hidden,) = [line for line in lines if "more columns than fit here" in line] or [""]
    shown = len(drawn[0].split("┳"))
    assert shown + (int(hidden.split()[0]) if hidden else 0) == 2 + 3 + 2  # point, state, settings, metrics
    assert bool(hidden) == (width < 120) and ("results.csv" in hidden) == bool(hidden)


def test_titles_are_whole_where_there_is_room_and_broken_at_underscores_where_not(monkeypatch: pytest.MonkeyPatch):
    assert "random_erasing" in printed(Results(runs(2)), 200, monkeypatch)
    narrow = printed(Results(runs(2)), 60, monkeypatch)
    assert "random_erasing" not in narrow.split("└")[0]
    assert re.search(r"┃ random_ +┃", narrow) and re.search(r"┃ erasing +┃", narrow)


def test_only_what_differs_is_a_column(monkeypatch: pytest.MonkeyPatch):
    results = Results(runs(3))
    assert results.titles == ["seed", "data_aug.random_erasing", "data.source_names"]
    assert results.metrics == ["clips_per_sec", "mask.short.encoder"] and results.same == {"clips": 8, "note": "same"}
    assert "the same in all: clips=8, note=same" in printed(results, 80, monkeypatch)
    some = runs(4)
    some[0].metrics, some[1].metrics = {}, some[1].metrics | {"only_here": 3, "clips": 8 + 1e-12}
    results = Results(some)
    assert "only_here" in results.metrics and "clips" in results.same
    one = Results(runs(1))
    assert len(one.metrics) == 4 and not one.same


def test_pages(monkeypatch: pytest.MonkeyPatch):
    results = Results(runs(120))
    last = printed(results, 80, monkeypatch, page=3)
    assert "runs 101 to 120 of 120: page 3 of 3" in last and "100_ab" in last and "099_ab" not in last
    assert "runs 1 to 50 of 120" in printed(results, 80, monkeypatch)
    assert "page" not in printed(Results(runs(50)), 80, monkeypatch)
    for page in (0, 4):
        with pytest.raises(UserError, match=rf"--page must be from 1 to 3 \(got {page}\)"):
            print_results(results, page)


def test_settings_of_images_are_told_from_those_of_videos():
    keys = [
        "data@image.data",
        "image",
        "image.data.img_size",
        "data.img_size",
        "image.share",
        "mask.convention",
        "data.convention",
    ]
    short = ["image.data", "image", "image.img_size", "img_size", "image.share", "mask.convention", "data.convention"]
    assert short_names(keys) == short
