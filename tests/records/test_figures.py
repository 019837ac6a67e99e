"""The figures of a run's clips, read back over all its ranks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from vjepa_pipe import compose
from vjepa_pipe.config import UserError
from vjepa_pipe.records import Origin, RunRecord, read_run
from vjepa_pipe.records.figures import read_figures, summary_name


def write(folder: Path, rank: int, ranks: int, content: Any, time: float) -> None:
    file = folder / summary_name(rank, ranks)
    file.write_text(json.dumps(content))
    os.utime(file, (time, time))


def summary(ranks: int, clips: int, mean: float) -> dict[str, Any]:
    return {"ranks": ranks, "figures": {"crop_area": {"clips": clips, "mean": mean, "min": 0.1, "max": 0.9}}}


def test_ranks_count_by_their_clips(tmp_path: Path):
    assert read_figures(tmp_path) == {}
    write(tmp_path, 0, 2, summary(2, 30, 0.5), time=10)
    write(tmp_path, 1, 2, summary(2, 10, 0.9), time=11)
    assert read_figures(tmp_path) == {"crop_area": pytest.approx(0.6)}


def test_what_an_earlier_attempt_on_other_ranks_left_does_not_count(tmp_path: Path):
    for rank in range(4):
        write(tmp_path, rank, 4, summary(4, 10, 0.9), time=10)
    for rank in range(2):
        write(tmp_path, rank, 2, summary(2, 10, 0.5), time=20)
    assert read_figures(tmp_path) == {"crop_area": 0.5}
    write(tmp_path, 0, 1, summary(1, 10, 0.2), time=30)
    assert read_figures(tmp_path) == {"crop_area": 0.2}


@pytest.mark.parametrize("figures", [[], {"crop_area": 3}, {"crop_area": {"clips": 1}}, {"x": {"clips": "y"}}])
def test_damaged_figures_are_named(tmp_path: Path, figures: Any):
    write(tmp_path, 0, 1, {"ranks": 1, "figures": figures}, time=10)
    with pytest.raises(UserError, match=r"summary\.json is damaged"):
        read_figures(tmp_path)


def test_a_trainers_own_summary_is_not_taken_for_ours(tmp_path: Path):
    for name, words in (("ours", []), ("theirs", ["task=external", "task.entry=a:b"])):
        with RunRecord(tmp_path / name, compose(words), Origin()) as record:
            write(tmp_path / name, 0, 1, {"figures": 3} if words else summary(1, 10, 0.5), time=10)
            record.finish({"loss": 1.0})
    assert read_run(tmp_path / "ours").metrics == {"loss": 1.0, "crop_area": 0.5}
    assert read_run(tmp_path / "theirs").metrics == {"loss": 1.0}
