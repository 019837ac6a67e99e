"""data=folder: what the loader and every task do with a folder of videos and no list."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path

import pytest
from loading import TINY, digests, loader_of

from vjepa_pipe import ExperimentConfig, compose
from vjepa_pipe.cli import main
from vjepa_pipe.config import UserError
from vjepa_pipe.loader import StateError
from vjepa_pipe.sources import read_rows
from vjepa_pipe.tasks import run_task

NAMES = ["a.mp4", "jump/b b.mp4", "jump/c.MP4", "run/z::d e.mp4"]


@pytest.fixture
def videos(tmp_path: Path, videos_csv: Path) -> Path:
    good = [videos_csv.parent / line.rsplit(" ", 1)[0] for line in videos_csv.read_text().splitlines()]
    for name, file in zip(NAMES, good, strict=False):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "videos" / name)
    (tmp_path / "videos" / ".hidden.mp4").touch()
    return tmp_path / "videos"


def experiment(folder: Path, *overrides: str) -> ExperimentConfig:
    return compose([*TINY, "data=folder", f"data.data_paths=[{folder}]", *overrides])


def test_a_run_goes_on_where_it_stopped_unless_files_have_come(videos: Path, tmp_path: Path) -> None:
    expected = digests(loader_of(experiment(videos), tmp_path))
    assert len(expected) == 2
    first = loader_of(experiment(videos), tmp_path)
    head = digests(islice(first, 1))
    for run, same in ((experiment(videos), True), (experiment(videos, "data.glob=**/*.*"), False)):
        again = loader_of(run, tmp_path)
        if same:
            again.load_state_dict(first.state_dict())
            assert head + digests(again) == expected
        else:
            with pytest.raises(StateError, match=r'differ: data.glob \("\*\*" saved, "\*\*/\*.\*" here'):
                again.load_state_dict(first.state_dict())
    shutil.copy(videos / "a.mp4", videos / "new.mp4")
    with pytest.raises(StateError, match="source videos"):
        loader_of(experiment(videos), tmp_path).load_state_dict(first.state_dict())


def test_labels_are_zero_or_the_place_of_the_class(videos: Path, tmp_path: Path) -> None:
    def labels(*overrides: str) -> list[int]:
        loader = loader_of(experiment(videos, "data.batch_size=1", *overrides), tmp_path)
        return sorted(label for batch in loader for label in batch["label"].tolist())

    assert (labels(), labels("data.labels=folders"), labels("data.glob=jump/*")) == ([0] * 4, [0, 0, 1], [0, 0])


def test_bad_files_are_replaced_and_can_be_given_back(videos: Path, tmp_path: Path) -> None:
    (videos / "jump/b b.mp4").write_text("no video")
    run = experiment(videos, "task.preview_clips=0", "loader.max_failure_rate=1")
    assert run_task(run, tmp_path / "one")["replaced"] == 1
    (line,) = (tmp_path / "one" / "quarantine.jsonl").read_text().splitlines()
    assert json.loads(line)["path"] == str(videos / "jump/b b.mp4")
    again = loader_of(experiment(videos, f"loader.quarantine={tmp_path / 'one'}"), tmp_path)
    assert again.dataset.quarantine == {(0, 1)}


def test_validate_and_index(videos: Path, tmp_path: Path) -> None:
    assert all(run_task(experiment(videos, "task=validate"), tmp_path / "validate").values())
    (videos / "run/bad.mp4").write_text("no video")
    index = ["task=index", f"task.index_dir={tmp_path / 'index'}", "task.workers=1"]
    assert run_task(experiment(videos, *index), tmp_path / "out")["bad"] == 1
    rows = read_rows(tmp_path / "index" / "videos.csv")
    assert [(rows.path(i), rows.label(i)) for i in range(len(rows))] == [(str(videos / name), 0) for name in NAMES]
    loader = loader_of(experiment(videos, f"data.index_dir={tmp_path / 'index'}"), tmp_path)
    assert [loader.dataset.indexes[0].is_bad(row, loader.dataset.sources[0].path(row)) for row in range(5)].count(
        True
    ) == 1
    (videos / "new\nline.mp4").touch()
    with pytest.raises(
        UserError, match=r"new\\nline.mp4': its name holds a line break, which no list can hold: rename"
    ):
        run_task(experiment(videos, *index), tmp_path / "out")


def test_copies_do_not_go_where_they_would_be_read(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"task.target_dir=.*/videos/copies lies in .*/videos, which would then hold"):
        run_task(experiment(videos, "task=prepare", f"task.target_dir={videos}/copies"), tmp_path)


def test_a_file_is_answered_with_advice(
    videos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(videos.parent))
    (videos / "list.csv").write_text("a.mp4 0\n")
    paths = f"data.data_paths=['~/videos',{videos}/list.csv,{videos}/a.mp4,nowhere]"
    assert main(["check", "--data", "data=folder", paths]) == 2
    said = capsys.readouterr().out
    assert f"data_paths[1]: {videos}/list.csv is a file, and data=folder reads folders: data=csv reads lists" in said
    assert (
        f"data_paths[2]: {videos}/a.mp4 is a file, and data=folder reads folders: name its folder, and data.g" in said
    )
    assert "data_paths[3]: nowhere does not exist; it must be a folder of videos or images" in said
    assert "data_paths[0]" not in said


def test_a_sweep_is_refused_where_no_point_has_a_batch(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = ["-m", "sweep.dry_run=true", "data=folder", f"data.data_paths=[{videos}]", "data.batch_size=2,3"]
    assert main([*sweep, "data.glob=jump/*"]) == 2
    assert "more than an epoch of 2" in capsys.readouterr().err
