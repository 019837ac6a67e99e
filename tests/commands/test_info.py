"""`vjepa-pipe info`: what it counts, what it draws, and what it says to bad input."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vjepa_pipe.cli import main
from vjepa_pipe.commands.histograms import _bars, draw_index
from vjepa_pipe.commands.index_facts import index_facts, middle
from vjepa_pipe.tasks.index_parts import write_index
from vjepa_pipe.video.probe import Probe


def good(number: int, frames: int, keys: list[int], **other: Any) -> dict[str, Any]:
    found = Probe(frames, 25.0, frames / 25, 320, 240, "h264", "mov", 0, 1000, keys)._asdict() | other
    return {"path": f"/v/{number}.mp4", "stamp": [1000, 7], "error": None} | found


def bad(number: int, fault: str) -> dict[str, Any]:
    return {"path": f"/v/[{number}].mp4", "stamp": [], "error": f"/v/[{number}].mp4: {fault}"}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    entries = [
        bad(0, "not a video"),
        good(1, 25, [0, 12]),
        good(2, 50, [0]),
        good(3, 100, [0, 10, 90], width=240, height=426, rotation=90, codec="vp9", fps=29.97),
        good(4, 5, []),
        bad(5, "not a video"),
        bad(6, "cut off [here]"),
    ]
    write_index(tmp_path / "a.parquet", entries)
    write_index(tmp_path / "b.parquet", [bad(0, "not a video")])
    return tmp_path


def test_facts(index: Path) -> None:
    facts = index_facts(index / "a.parquet")
    assert (facts.files, facts.bad, facts.bytes, facts.turned) == (7, 3, 4000, 1)
    assert facts.hours == pytest.approx((1 + 2 + 4 + 0.2) / 3600)
    assert facts.codecs == {"h264": 3, "vp9": 1} and facts.rates == {25.0: 3, 29.97: 1}
    assert facts.sizes == {(320, 240): 3, (240, 426): 1} and facts.short_sides == {240: 4}
    assert facts.distances == Counter([12, 13, 50, 10, 80, 10])
    assert facts.faults == {"not a video": 2, "cut off [here]": 1}


def test_middle_is_the_median() -> None:
    rng = np.random.default_rng(0)
    for size in range(1, 30):
        values = rng.integers(0, 8, size).tolist()
        assert middle(Counter(values)) == np.median(values)


def test_a_table_for_each_source(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(index)]) == 0
    out = capsys.readouterr().out
    for shown in ("3 (42.86%)", "2 x not a video", "cut off [here]", "h264 (3), vp9 (1)", "320x240 (3), 240x426 (1)"):
        assert shown in out
    assert "0.2 to 4, median 1.5" in out and "12.5 frames (median), at most 80" in out
    assert not (index / "info.png").exists()
    assert main(["info", str(index / "b.parquet")]) == 0
    out = capsys.readouterr().out
    assert "1 (100.00%)" in out and "codecs" not in out


def test_the_picture_is_drawn_where_asked_and_left_alone_where_equal(index: Path, tmp_path: Path) -> None:
    assert main(["info", str(index / "a.parquet"), "--picture"]) == 0
    with Image.open(index / "info.png") as picture:
        assert picture.width > 1000 and len(picture.getcolors(1 << 20)) > 3
    made = (index / "info.png").stat()
    assert main(["info", str(index / "a.parquet"), "--picture"]) == 0
    assert (index / "info.png").stat() == made
    assert main(["info", str(index), "--picture", str(tmp_path / "mine.png")]) == 0
    assert (tmp_path / "mine.png").exists() and (index / "info.png").stat() == made
    assert not [file for file in index.iterdir() if file.name.startswith(".")]


def test_every_value_is_in_a_bar() -> None:
    for values in (np.arange(1.0, 400.0), np.geomspace(0.01, 7e4, 77), np.linspace(-3, 4, 50), np.array([5.0])):
        bars = _bars(values, np.full(len(values), 3))
        assert bars.heights.sum() == 3 * len(values)
        assert all(0 <= place <= 1 for place, _ in bars.labels)
    assert (_bars(np.arange(1.0, 26.0), np.ones(25, np.int64)).heights > 0).all()


def test_sources_without_good_files_are_drawn(index: Path) -> None:
    assert draw_index([index_facts(index / "b.parquet")]).width > 1000


def test_bad_input(index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (index / "empty").mkdir()
    (index / "text.csv").write_text("no index")
    for words, message in (
        (["no"], "error: no: no such file or folder\n"),
        ([str(index / "empty")], f"error: {index}/empty: holds no index NAME.parquet; python launch.py task=index"),
        ([str(index / "text.csv")], f"error: {index}/text.csv: cannot be read as an index: not a Parquet file"),
        ([str(index), "--picture", "a.jpg"], "error: --picture must name a .png file (got a.jpg)\n"),
        ([str(index), "--picture", "no/a.png"], "error: cannot write no/a.png: No such file or directory\n"),
    ):
        assert main(["info", *words]) == 1
        error = capsys.readouterr().err
        assert error.startswith(message) and error.count("\n") == 1
