"""An index changes which files are opened, and no batch."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from footage import write_video
from indexing import index_of
from loading import digests, loader_of, rows_csv, tiny

from vjepa_pipe import DataManager, compose
from vjepa_pipe.config import ConfigError
from vjepa_pipe.datasets import VideoDataset
from vjepa_pipe.datasets.bad import BadInIndex
from vjepa_pipe.video import ClipTooShort, PyavDecoder, VideoError


@pytest.fixture
def rows(videos_csv: Path, tmp_path: Path) -> Path:
    """Sixteen rows; 2 and 9 hold no video, 5 is long, 11 is short and 13 is not there."""
    file = rows_csv(tmp_path / "rows.csv", videos_csv, {2: "bad2.txt", 9: "bad9.txt"}, rows=16)
    lines = file.read_text().splitlines()
    lines[5] = f"{write_video(tmp_path / 'long.mp4', 200)} 5"
    lines[11] = f"{write_video(tmp_path / 'short.mp4', 3)} 11"
    lines[13] = f"{tmp_path / 'gone.mp4'} 13"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture
def index_dir(rows: Path, tmp_path: Path) -> Path:
    return index_of(rows, tmp_path / "index")


LIMITS = ["data.max_duration_sec=5", "data.short_videos=drop"]


def bad_of(batches: Iterable[dict[str, Any]]) -> list[list[tuple[int, str]]]:
    return [[(bad.row, bad.path) for sample in batch["replaced"] for bad in sample] for batch in batches]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("limits", [[], LIMITS], ids=["any length", "limits"])
def test_batches_are_those_without_an_index(rows: Path, index_dir: Path, tmp_path: Path, workers: int, limits) -> None:
    expected = list(loader_of(tiny(rows, *limits), tmp_path / "without"))
    told = tiny(rows, *limits, f"data.index_dir={index_dir}", f"data.num_workers={workers}")
    loader = loader_of(told, tmp_path / "with")
    found = list(loader)
    loader.close()
    assert digests(found) == digests(expected)
    assert bad_of(found) == bad_of(expected)
    assert loader.report.sources["rows"].quarantined == (5 if limits else 3)


def test_bad_rows_are_not_opened_and_not_listed_again(
    rows: Path, index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = loader_of(tiny(rows, *LIMITS, f"data.index_dir={index_dir}"), tmp_path / "with")
    opened = watch(monkeypatch)
    list(loader)
    names = {Path(path).name for path in opened}
    assert opened and not names & {"bad2.mp4", "bad9.mp4", "long.mp4", "short.mp4", "gone.mp4"}
    lines = [json.loads(line) for line in (tmp_path / "with" / "quarantine.jsonl").read_text().splitlines()]
    assert {line["row"]: line["error"] for line in lines} == {5: "VideoError", 11: "ClipTooShort"}
    assert {bad.error for bad in loader.report.sources["rows"].bad if bad.row in (2, 9, 13)} == {"BadInIndex"}


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are opened from now on."""
    opened: list[str] = []
    plain = PyavDecoder.open
    monkeypatch.setattr(PyavDecoder, "open", lambda self, path, *more: opened.append(path) or plain(self, path, *more))
    return opened


def test_a_file_without_tables_is_not_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tmp_path / "rows.csv"
    files = [write_video(tmp_path / f"{n}.webm", 30 + n, codec="libvpx-vp9") for n in range(2)]
    rows.write_text("".join(f"{file} 0\n" for file in files))
    expected = digests(loader_of(tiny(rows), tmp_path))
    told = tiny(rows, f"data.index_dir={index_of(rows, tmp_path / 'index')}")
    monkeypatch.setattr("vjepa_pipe.video.decoders.pyav.index_packets", None)  # calling it would fail
    assert digests(loader_of(told, tmp_path)) == expected


def test_each_refusal_has_its_error(rows: Path, index_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = VideoDataset(
        rows, index_dir=index_dir, max_duration_sec=5, short_videos="drop", frames_per_clip=4, on_bad_sample="raise"
    )
    opened = watch(monkeypatch)
    with pytest.raises(VideoError, match=r"long.mp4: longer than max_duration_sec=5"):
        dataset[5]
    with pytest.raises(ClipTooShort):
        dataset[11]
    with pytest.raises(BadInIndex, match=r"bad2.mp4: bad in .*rows.parquet"):
        dataset[2]
    assert opened == []


def test_a_file_that_changed_is_opened(
    rows: Path, index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = VideoDataset(rows, frames_per_clip=4)[0]["video"]
    source = VideoDataset(rows).sources[0].path(0)
    for name in ("bad2.mp4", "gone.mp4", "long.mp4"):
        shutil.copyfile(source, tmp_path / name)
    length = PyavDecoder().open(source).num_frames
    dataset = VideoDataset(rows, index_dir=index_dir, max_duration_sec=5, frames_per_clip=4, on_bad_sample="raise")
    opened = watch(monkeypatch)
    assert [dataset[row]["video"].shape for row in (2, 13, 5)] == [good.shape] * 3
    assert len(opened) == 3
    assert dataset.read(dataset.key_of(5)).num_frames == length
    touched = tmp_path / "bad9.mp4"
    os.utime(touched, ns=(1, 1))
    with pytest.raises(VideoError, match="not a video"):
        dataset[9]


def test_a_pickled_dataset_holds_no_table(tmp_path: Path, videos_csv: Path) -> None:
    """A million rows of a few files: what a worker is sent names mapped files."""
    path = (videos_csv.parent / videos_csv.read_text().split()[0]).resolve()
    (tmp_path / "many.csv").write_text(f"{path} 0\n" * 300_000)
    dataset = VideoDataset(tmp_path / "many.csv", index_dir=index_of(tmp_path / "many.csv", tmp_path / "index"))
    sent = pickle.dumps(dataset)
    assert len(sent) < 5000
    copy = pickle.loads(sent)
    assert len(copy.indexes[0]) == 300_000
    assert copy.indexes[0].length(299_999, path.stat()) == dataset.indexes[0].length(0, path.stat()) is not None
    again = VideoDataset(tmp_path / "many.csv", index_dir=tmp_path / "index")  # now from the cache
    assert again.indexes[0].length(5, path.stat()) == dataset.indexes[0].length(0, path.stat())


def test_images_are_not_asked_of_the_index(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "images" / "cat").mkdir(parents=True)
    Image.new("RGB", (40, 30), (255, 0, 0)).save(tmp_path / "images" / "cat" / "a.png")
    index_dir = index_of(VideoDataset(tmp_path / "images").sources[0], tmp_path / "index")
    dataset = VideoDataset(tmp_path / "images", frames_per_clip=4, index_dir=index_dir, max_duration_sec=0.001)
    assert dataset[0]["video"].shape == (3, 4, 30, 40)


def test_a_missing_index_names_the_command_that_makes_it(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        loader_of(tiny(rows, f"data.index_dir={tmp_path / 'no'}"), tmp_path)
    assert str(error.value) == (
        f"config error: data.index_dir: {tmp_path}/no/rows.parquet does not exist; make it: python launch.py "
        f"task=index task.index_dir={tmp_path}/no data=csv 'data.data_paths=[{rows}]' 'data.source_names=[rows]'"
    )


def test_an_index_that_lacks_rows_says_how_many(rows: Path, index_dir: Path, tmp_path: Path, videos_csv: Path) -> None:
    (tmp_path / "other").mkdir()
    other = rows_csv(tmp_path / "other" / "rows.csv", videos_csv, {}, rows=8)
    other.write_text(other.read_text() + "/new/a.mp4 1\n/new/b.mp4 1\n")
    with pytest.raises(ConfigError, match=r"rows.parquet lacks 3 of 10 rows of source rows, such as /.*; make it"):
        loader_of(tiny(other, f"data.index_dir={index_dir}"), tmp_path)


def test_data_that_has_no_index(index_dir: Path, tmp_path: Path) -> None:
    few = ["mask=none", "data_aug=robotics", f"data.index_dir={index_dir}"]
    with pytest.raises(ConfigError, match=r"data.index_dir must be unset for robot data, which does not read it"):
        compose(["data=synthetic_robot", "robotics=droid", *few])
    with pytest.raises(ConfigError, match=r"data.index_dir=.* is not read for captioned video"):
        compose(["data=webvid", f"data.data_root={tmp_path}", f"data.index_dir={index_dir}"])
    with pytest.raises(ConfigError, match=r"data.index_dir needs decoder.seek_mode=exact \(got approximate\)"):
        compose(["decoder=torchcodec", "decoder.seek_mode=approximate", f"data.index_dir={index_dir}"])


def test_the_eval_loader_has_an_index_too(rows: Path, index_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInIndex):
        list(DataManager(tiny(rows, f"data.index_dir={index_dir}"), output_dir=tmp_path).build_eval_loader())
