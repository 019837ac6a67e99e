"""WebVid: both layouts on disk, ids and captions as text, and lists that cannot be used."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from captioned import partition, write_csv

from vjepa_pipe.sources import SourceError, read_webvid, read_webvid_original
from vjepa_pipe.sources.tables.columns import TextBuilder


def texts(rows) -> list[tuple[str, str]]:
    return [(Path(rows.path(i)).stem, rows.label(i)) for i in range(len(rows))]


@pytest.mark.parametrize(("video", "place"), [
    ("8469580", "train/84/8469/846958/8469580.mp4"),
    ("84490", "train/84/8449/84490/84490.mp4"),
    ("007", "train/00/007/007/007.mp4"),
    ("1", "train/1/1/1/1.mp4"),
])  # fmt: skip
def test_training_videos_are_nested_by_prefix(video: str, place: str, tmp_path: Path) -> None:
    partition(tmp_path, "a.csv", [(video, "x")])
    assert read_webvid(tmp_path).path(0) == str(tmp_path / "raw" / "videos" / place)


def test_validation_videos_lie_flat(tmp_path: Path) -> None:
    partition(tmp_path, "a.csv", [("10006310", "x")], split="val")
    path = read_webvid(tmp_path, split="validation").path(0)
    assert path == str(tmp_path / "raw" / "videos" / "validation" / "10006310.mp4")


def test_partitions_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    partition(tmp_path, "b.csv", [("3", "c")])
    partition(tmp_path, "a.csv", [("1", "a"), ("2", "b")])
    partition(tmp_path, "a.txt", [("9", "no partition")])
    assert texts(read_webvid(tmp_path)) == [("1", "a"), ("2", "b"), ("3", "c")]


@pytest.mark.parametrize(
    ("most", "expected"), [(0, ["1", "2", "3"]), (1, ["1"]), (2, ["1", "2"]), (9, ["1", "2", "3"])]
)
def test_max_samples(most: int, expected: list[str], tmp_path: Path) -> None:
    partition(tmp_path, "a.csv", [("1", "a"), ("2", "b")])
    partition(tmp_path, "b.csv", [("3", "c")])
    assert [video for video, _ in texts(read_webvid(tmp_path, max_samples=most))] == expected


def test_max_samples_reads_no_further(tmp_path: Path) -> None:
    partition(tmp_path, "a.csv", [("1", "a"), ("2", "b")])
    (partition(tmp_path, "b.csv", [])).write_bytes(b"\xff\xfe broken")
    assert len(read_webvid(tmp_path, max_samples=2)) == 2
    with pytest.raises(SourceError, match=r"b\.csv: line 1 is not UTF-8 text"):
        read_webvid(tmp_path, max_samples=3)


def test_ids_and_captions_stay_text(tmp_path: Path) -> None:
    rows = [("007", ""), ("12", "NA"), ("1e5", "null"), ("5", "None"), ("6", "nan"), ("7", "12"), ("8", ' a, "b"\nc ')]
    partition(tmp_path, "a.csv", [*rows, rows[0]])
    assert texts(read_webvid(tmp_path)) == [*rows, rows[0]]


def test_other_columns_are_left_alone(tmp_path: Path) -> None:
    file = partition(tmp_path, "a.csv", [])
    write_csv(
        file, [("http://x", "5", "d", "a cat", "PT3S")], ("contentUrl", "videoid", "page_dir", "name", "duration")
    )
    assert texts(read_webvid(tmp_path)) == [("5", "a cat")]


def test_data_sets_differ_in_their_lists(tmp_path: Path) -> None:
    partition(tmp_path, "a.csv", [("1", "ten")])
    partition(tmp_path, "a.csv", [("2", "two")], dataset="webvid-2M")
    assert texts(read_webvid(tmp_path, "webvid-2M")) == [("2", "two")]


@pytest.mark.parametrize("folder", ["", "metadata"])
def test_original_layout(folder: str, tmp_path: Path) -> None:
    header = ("videoid", "contentUrl", "duration", "page_dir", "name")
    write_csv(tmp_path / folder / "results_2M_train.csv", [("0042", "u", "PT1S", "006001_006050", "NA")], header)
    write_csv(tmp_path / folder / "results_2M_val.csv", [("1", "u", "PT1S", "p", "v")], header)
    rows = read_webvid_original(tmp_path, "webvid-2M")
    assert rows.path(0) == str(tmp_path / "videos" / "006001_006050" / "0042.mp4")
    assert texts(rows) == [("0042", "NA")]
    assert texts(read_webvid_original(tmp_path, "webvid-2M", "validation")) == [("1", "v")]


def test_no_partitions(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "webvid-10M" / "data" / "train" / "partitions"
    with pytest.raises(FileNotFoundError) as error:
        read_webvid(tmp_path)
    assert str(error.value) == (
        f"No partition CSVs found under '{folder}': it must hold .csv files with the columns videoid and name"
    )
    assert isinstance(error.value, SourceError)
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
    with pytest.raises(FileNotFoundError, match=r"results_10M_val\.csv, or metadata/results_10M_val\.csv"):
        read_webvid_original(tmp_path, split="validation")


@pytest.mark.parametrize(("content", "message"), [
    ("videoid,title\n1,x\n", "has no column name: its columns are videoid, title"),
    ("id,title\n1,x\n", "has no column videoid, name: its columns are id, title"),
    ("videoid,name\n1,a\n2\n", r"line 3 must have 2 columns, as the header \(got 1\)"),
    ("videoid,name\n1,a\n2,b,c\n", r"line 3 must have 2 columns, as the header \(got 3\)"),
    ('videoid,name\n1,"a\n', "line 2 is not CSV"),
    ("videoid,name\n,a\n", r"line 2: videoid must be a file name \(got ''\)"),
    ("videoid,name\n../1,a\n", r"line 2: videoid must be a file name \(got '\.\./1'\)"),
    ("", "is empty: it must start with a header that names videoid, name"),
])  # fmt: skip
def test_broken_partitions(content: str, message: str, tmp_path: Path) -> None:
    file = partition(tmp_path, "bad.csv", [])
    file.write_text(content)
    with pytest.raises(SourceError, match=f"bad.csv: {message}"):
        read_webvid(tmp_path)


def test_lists_without_rows(tmp_path: Path) -> None:
    partition(tmp_path, "a.csv", [])
    partition(tmp_path, "b.csv", [])
    with pytest.raises(SourceError, match=r"partitions: holds no rows \(read: a\.csv, b\.csv\)"):
        read_webvid(tmp_path)


def test_big_lists_are_kept_and_read_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(str(i), "a caption of some length " * 4) for i in range(20_000)]
    partition(tmp_path, "a.csv", rows)
    first = read_webvid(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(TextBuilder, "append", lambda *_: pytest.fail("the list was parsed again"))
        assert texts(read_webvid(tmp_path))[-1] == rows[-1]
    assert len(pickle.dumps(first)) < 1000
    assert texts(pickle.loads(pickle.dumps(first)))[777] == rows[777]
    partition(tmp_path, "b.csv", [("new", "x")])
    assert texts(read_webvid(tmp_path))[-1] == ("new", "x")
