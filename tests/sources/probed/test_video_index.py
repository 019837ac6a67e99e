"""The index file: its columns, names that are not text, and files that are no index."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from vjepa_pipe.sources import Rows, SourceError, VideoIndex, read_indexes
from vjepa_pipe.sources.probed.index_file import Column, fault, index_files, open_index
from vjepa_pipe.tasks.index_parts import write_index
from vjepa_pipe.video.probe import Probe

GOOD = Probe(30, 29.97, 1.001, 320, 240, "h264", "mov", 0, 1000, [0, 12], stamp=[1000, 7])._asdict()


def entry(path: str, **found: object) -> dict[str, object]:
    return {"path": path, "error": None, **GOOD, **found}


def facts(size: int = 1000, changed: int = 7) -> os.stat_result:
    return os.stat_result((0, 0, 0, 0, 0, 0, size, 0, 0, 0), {"st_mtime_ns": changed})  # type: ignore[arg-type]


def index_of(folder: Path, entries: list[dict[str, object]], paths: list[str]) -> VideoIndex:
    write_index(folder / "a.parquet", entries)
    rows = Rows.from_lists("a", paths, [0] * len(paths))
    return read_indexes(folder, [rows], [rows])[0]


def test_columns_are_those_of_a_probe() -> None:
    assert [column.value for column in Column] == [
        "path",
        "stamp",
        "error",
        *(name for name in Probe._fields if name != "stamp"),
    ]


def test_rows_find_their_entries_in_any_order(tmp_path: Path) -> None:
    entries = [entry(f"/v/{i}", frames=i + 1, fps=10.0 * i + 0.1) for i in range(5)]
    index = index_of(tmp_path, entries, ["/v/3", "/v/0", "/v/3"])
    assert [index.length(row, facts()) for row in range(len(index))] == [(4, 30.1), (1, 0.1), (4, 30.1)]
    assert index.length(0, facts(size=999)) is None and index.length(0, facts(changed=8)) is None


def test_names_that_are_not_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"/v/\xff\xfe.mp4")
    bad = {"path": name + "x", "stamp": [], "error": f"{name}x: not a video"}
    index = index_of(tmp_path, [bad, entry(name)], [name, name + "x"])
    assert index.length(0, facts()) == (30, 29.97)
    assert index.is_bad(1, name + "x") and not index.is_bad(0, name)


def test_the_first_file_may_be_bad_and_all_may_be(tmp_path: Path) -> None:
    bad = {"path": "/v/a", "stamp": [], "error": "no"}
    index = index_of(tmp_path, [bad, entry("/v/b")], ["/v/a", "/v/b"])
    assert index.is_bad(0, "/v/a") and index.length(1, facts()) == (30, 29.97)
    assert index_of(tmp_path, [bad], ["/v/a"]).is_bad(0, "/v/a")


def test_a_bad_file_that_appeared_since_is_not_known(tmp_path: Path) -> None:
    path = str(tmp_path / "late.mp4")
    index = index_of(tmp_path, [{"path": path, "stamp": [], "error": "no such file"}], [path])
    assert index.is_bad(0, path)
    Path(path).touch()
    assert not index.is_bad(0, path) and index.length(0, Path(path).stat()) is None


def test_packets_stand_by_their_rows(tmp_path: Path) -> None:
    entries = [entry("/v/a", packets="YWE="), entry("/v/b"), entry("/v/c", packets="Y2Nj")]
    index = index_of(tmp_path, entries, ["/v/c", "/v/b", "/v/a", "/v/c"])
    assert [index.packets(row, facts()) for row in range(4)] == [b"ccc", b"", b"aa", b"ccc"]
    assert index.packets(0, facts(changed=8)) == b""


def test_packets_are_written_and_read_in_parts(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vjepa_pipe.tasks.index_parts.GROUP_BYTES", 40)
    monkeypatch.setattr("vjepa_pipe.sources.probed.video_index._BATCH", 2)
    monkeypatch.setattr("vjepa_pipe.sources.tables.cache.MAPPED_BYTES", 0)
    packets = [b"", b"a" * 20, b"bb", b"c" * 100, b"", b"dd", b"e"]
    paths = [f"/v/{n}" for n in range(len(packets))]
    entries = [entry(path, packets=b64encode(each).decode()) for path, each in zip(paths, packets, strict=True)]
    index = index_of(tmp_path, entries, paths[::-1])
    with open_index(tmp_path / "a.parquet") as opened:
        assert [opened.metadata.row_group(n).num_rows for n in range(opened.num_row_groups)] == [4, 3]
    assert index._entry is not None and cache in index._entry.parents
    assert [index.packets(row, facts()) for row in range(len(index))] == packets[::-1]


def test_packets_that_are_no_base64(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a.parquet: is damaged, or no index of videos \(.*base64"):
        index_of(tmp_path, [entry("/v/a", packets="Y\n==")], ["/v/a"])


def test_compact_columns(tmp_path: Path) -> None:
    index = index_of(tmp_path, [entry("/v/a", packets="YWE=")], ["/v/a"] * 10)
    assert sum(values.nbytes for values in index._columns.values()) == 4 * 10 + 29 + 8 * 2 + len(b"aa")
    assert index._columns["frames"].dtype == np.int32


def test_files_that_are_no_index(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no: no such file or folder"):
        index_files(tmp_path / "no")
    with pytest.raises(SourceError, match=r"holds no index NAME.parquet; python launch.py task=index task.index_dir=/"):
        index_files(tmp_path)
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(SourceError, match=r"text.parquet: cannot be read as an index: not a Parquet file, or a dam"):
        open_index(tmp_path / "text.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"path": ["a"], "frames": [1]}), tmp_path / "other.parquet")
    with pytest.raises(SourceError, match=r"other.parquet: is no index of videos: it has no column stamp, error, fps"):
        open_index(tmp_path / "other.parquet")
    assert [file.name for file in index_files(tmp_path)] == ["other.parquet", "text.parquet"]


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    write_index(tmp_path / "a.parquet", [entry("/v/a", key_frames=list(range(1000)))])
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[4:200] = bytes(196)
    (tmp_path / "a.parquet").write_bytes(data)
    rows = Rows.from_lists("a", ["/v/a"], [0])
    with pytest.raises(SourceError, match=r"a.parquet: is damaged, or no index of videos \("):
        read_indexes(tmp_path, [rows], [rows])


def test_no_flipped_bit_of_an_index_changes_a_value(tmp_path: Path) -> None:
    paths = [f"/v/{i}.mp4" for i in range(20)]
    rows = Rows.from_lists("a", paths, [0] * 20)
    file = tmp_path / "a.parquet"
    write_index(file, [entry(path, frames=i + 5, fps=10.0 + i) for i, path in enumerate(paths)])

    def values() -> dict[str, list[float]]:
        return {name: column.tolist() for name, column in read_indexes(tmp_path, [rows], [rows])[0]._columns.items()}

    whole, data, refused, rng = values(), file.read_bytes(), 0, np.random.default_rng(0)
    for at in [1832, 1890, *rng.integers(0, len(data), 200)]:
        flipped = bytearray(data)
        flipped[at] ^= 1 << int(rng.integers(8))
        file.write_bytes(flipped)
        try:
            assert values() == whole
        except SourceError as error:
            assert str(file) in str(error)
            refused += 1
    assert refused > 50


def test_faults_can_be_counted() -> None:
    assert fault("/v/a: b.mp4", "/v/a: b.mp4: not a video: cut off") == "not a video: cut off"
    assert fault("/v/a", "not done after 60 s") == "not done after 60 s"
