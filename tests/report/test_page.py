"""report.html: small whatever the number of runs and the size of their pictures."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from swept import grid

from vjepa_pipe.records import Run
from vjepa_pipe.report import Results
from vjepa_pipe.report import page as pages
from vjepa_pipe.report.design import Design
from vjepa_pipe.report.metric import Metric
from vjepa_pipe.report.page import THUMBNAIL, page, thumbnail


def noise(file: Path, width: int = 1200, height: int = 1700) -> Path:
    """A picture that compresses badly."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((width, height)).save(file)
    return file


def page_of(runs: list[Run], title: str, folder: Path, metric: Metric | None = None) -> str:
    results = Results(runs)
    return page(results, title, folder, Design(results), metric)


def content(text: str) -> dict[str, Any]:
    """The data that the page's script reads."""
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(data)


def test_a_thumbnail_is_the_upper_part_as_a_small_jpeg(tmp_path: Path):
    picture = noise(tmp_path / "preview.png")
    uri = thumbnail(picture)
    assert uri is not None and len(uri) < 60_000 < picture.stat().st_size / 10
    with Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,")))) as small:
        assert small.format == "JPEG" and small.size == THUMBNAIL
    Image.new("RGB", (64, 32), "red").save(tmp_path / "tiny.png")
    assert thumbnail(tmp_path / "tiny.png") is not None
    (tmp_path / "no.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 99)
    assert thumbnail(tmp_path / "no.png") is None


def test_pictures_beyond_the_limit_are_named_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "THUMBNAILS_BYTES", 30_000)
    runs = [Run(tmp_path / f"{i:03d} a", {"seed": i}, {}, set(), {"state": "done"}, {"loss": i / 3}) for i in range(6)]
    for run in runs[1:]:
        noise(run.folder / "preview.png", 400, 176)
    text = page_of(runs, "<six>", tmp_path / "reports")
    rows = content(text)["rows"]
    assert len(text) < 120_000 and "<h1>&lt;six&gt;</h1>" in text
    assert [row["preview"] for row in rows[:2]] == [None, "../001%20a/preview.png"]
    held = [row["thumbnail"] is not None for row in rows]
    assert not held[0] and held[1:] == sorted(held[1:], reverse=True) and 0 < sum(held) < 5


def test_columns_are_what_differs(tmp_path: Path):
    runs = [
        Run(
            tmp_path / str(i), {"seed": i, "name": "x"}, {}, set(), {}, {"clips": 8, "loss": i / 3, "nan": float("nan")}
        )
        for i in range(3)
    ]
    data = content(page_of(runs, "x", tmp_path))
    assert [one["key"] for one in data["settings"]] == ["seed"] and data["metrics"] == ["loss"]
    assert data["same"] == [{"name": "clips", "text": "8"}, {"name": "nan", "text": "nan"}]


def test_what_the_runs_say_together_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "CURVE_POINTS", 400)
    runs = grid({"a": [0, 1], "b": [0, 1], "seed": [0, 1, 2]}, lambda a, b, seed: {"loss": a + seed, "top1": b, "x": 1})
    for run in runs:
        run.folder = tmp_path / run.folder
        run.folder.mkdir(parents=True)
    lines = [f'{{"step": {step}, "loss": {step % 7}, "lr": {"NaN" if step else 1}}}\n' for step in range(1000)]
    for run in runs[:2]:
        (run.folder / "metrics.jsonl").write_text("".join(lines))
    os.mkfifo(runs[2].folder / "metrics.jsonl")
    data = content(page_of(runs, "x", tmp_path, Metric("loss", "minimize")))
    assert data["ranking"]["verdict"].startswith("not ranked: the best mean cannot be told from 1 of 3 others")
    assert [point["run"] for point in data["ranking"]["points"]] == [0, 3, 6, 9]
    assert list(data["effects"]["metrics"]) == ["loss", "top1"]
    assert data["effects"]["metrics"]["top1"]["main"][1]["levels"][1]["change"]["mean"] == 1
    assert data["effects"]["metrics"]["loss"]["tables"][0]["means"] == [[1, 1], [2, 2]]
    assert list(data["curves"]) == ["loss"]  # the other is a single point
    steps, values = data["curves"]["loss"]["1"]
    assert len(steps) == len(values) == 200 and (steps[0], steps[-1]) == (0, 999)
    alone = content(page_of(runs[:3], "x", tmp_path, Metric("loss", "minimize")))
    assert alone["ranking"] is None and alone["effects"] == {"metrics": {}, "notes": []}
