"""Annotation files that cannot be used: each is refused in one line that says where and why."""

from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe.sources import SourceError, read_rows
from vjepa_pipe.sources.lists.annotations import _read_text
from vjepa_pipe.sources.tables import text as text_file

_NUMBERS = "".join(f"/videos/{i}.mp4 {i % 7}\n" for i in range(3000))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n \r\n\n", "holds no rows: every line is blank"),
        ("/a.mp4\n/b.mp4\n", "line 1 has no label: expected `path label`: /a.mp4"),
        ("/a b.mp4\n", "line 1 has no label: expected `path label`: /a b.mp4"),
        ("/a.mp4 3\n\n/b.mp4\n/c.mp4 3\n", "line 3 has no label: expected `path label`: /b.mp4"),
        (_NUMBERS + "/b.mp4\n", "line 3001 has no label: expected `path label`: /b.mp4"),
        ("/a.mp4 3\n/b.mp4,4\n/c.mp4 5\n", "line 2 has no label: expected `path label`: /b.mp4,4"),
        (
            "/a.mp4 0 -1\n",
            "line 1 ends in two numbers: expected `path label`; quote a path that ends in a number: /a.mp4 0 -1",
        ),
        (
            _NUMBERS + "/frames/7 120 5\n",
            "line 3001 ends in two numbers: expected `path label`; quote a path that ends in a number: /frames/7 120 5",
        ),
        (
            "/a.mp4 a man runs, fast\n",
            "line 1 has no integer at the end of several words: quote the path, or write `path::label`: "
            "/a.mp4 a man runs, fast",
        ),
        ("/a.mp4 3\n/b.mp4 x\n", "line 2: label 'x' is not a 64-bit integer, while line 1 has 3"),
        ("/a.mp4 x\n/b.mp4 3\n", "line 1: label 'x' is not a 64-bit integer, while line 2 has 3"),
        (_NUMBERS + "/b.mp4 x\n", "line 3001: label 'x' is not a 64-bit integer, while line 1 has 0"),
        (
            f"/a.mp4 3\n/b.mp4 {2**63}\n",
            "line 2: label '9223372036854775808' is not a 64-bit integer, while line 1 has 3",
        ),
        ("/a.mp4 3.0\n/b.mp4 4.0\n", "line 1: label '3.0' is not an integer"),
        ("path label\n/a.mp4 3\n", "line 1: label 'label' is not a 64-bit integer, while line 2 has 3"),
        (
            '"/a.mp4 3\n/b.mp4 4\n',
            'line 1 has a double quote that is not closed, or no label after it: "/a.mp4 3',
        ),
        ('/b.mp4 4\n"/a.mp4"\n', 'line 2 has a double quote that is not closed, or no label after it: "/a.mp4"'),
        ("/a.mp4::run\n/b.mp4 walk\n/c.mp4::jump\n", "line 2 has no label: expected `path::label`: /b.mp4 walk"),
        ("/a.mp4::\n/b.mp4::\n/c.mp4::x\n", "line 1 has no label: expected `path::label`: /a.mp4::"),
        (
            "/a.mp4,3\n/b.mp4\n/c.mp4,\n",
            "line 2 must have 2 columns when no header names them (got 1): expected `path,label`, or a header with one "
            "of path, video_path, video, filepath, file_path, file, filename, file_name, image_path, image and one of "
            "label, class, class_id, label_id, target, caption, text: /b.mp4",
        ),
        ("/a.mp4,3\n/b.mp4,\n", "line 2 has no label: expected `path,label`: /b.mp4,"),
        ("/a.mp4,3\n/b.mp4,x\n", "line 2: label 'x' is not a 64-bit integer, while line 1 has 3"),
        ("path,label\n", "holds no rows: only the header 'path,label'"),
        ("path,label\n/a.mp4\n", "line 2 must have 2 columns, as the header (got 1)"),
        ("path,label\n/a.mp4,3\n,4\n", "line 3: column 'path' is empty"),
        ("path,label\n/a.mp4,3\n/b.mp4,\n", "line 3: column 'label' is empty"),
        ("path,label\n/a.mp4,3\n/b.mp4,x\n", "line 3: label 'x' is not a 64-bit integer, while line 2 has 3"),
        ('path,caption\n/a.mp4,"x\ny"\n/b.mp4,"z\n', "line 4 is not CSV: unexpected end of data"),
        (
            "label,youtube_id,split\nrun,abc,train\n",
            "has no path column: its columns are label, youtube_id, split; one must be named path, video_path, video, "
            "filepath, file_path, file, filename, file_name, image_path, image",
        ),
        (
            "Path,duration\n/a.mp4,3\n",
            "has no label column: its columns are path, duration; one must be named label, class, class_id, label_id, "
            "target, caption, text",
        ),
        (b"/a.mp4 3\n/caf\xe9.mp4 4\n", "line 2 is not UTF-8 text: byte 5 is 0xe9"),
        ("/a.mp4 3\n".encode("utf-16"), "line 1 is not UTF-8 text: byte 4 is 0x00"),
        (b"x" * (6 << 20), "line 1 is longer than 1048576 bytes: not a list of samples"),
    ],
)
def test_reasons(tmp_path: Path, content: str | bytes, reason: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SourceError) as caught:
        read_rows(file)
    assert str(caught.value) == f"{file}: {reason}"


_SNIPPETS = st.sampled_from(
    [" ", ",", "::", '"', "\n", "\r", "\t", "/a.mp4", "path", "label", "3", "-", "x", "é", "\ufeff", "\0"]
)


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".csv.gz"])
@given(
    data=st.one_of(
        st.binary(max_size=60),
        st.lists(_SNIPPETS, max_size=25).map(lambda parts: "".join(parts).encode()),
        st.binary(max_size=20).map(lambda tail: b"\x93NUMPY\x01\x00" + tail),
    )
)
def test_any_content_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, suffix: str, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / f"junk{suffix}"
    file.write_bytes(data)
    try:
        rows = read_rows(file)
    except SourceError as error:
        assert str(error).startswith(f"{file}: ")
        assert "\n" not in str(error)
        return
    assert len(rows) > 0
    assert all(rows.path(i) and rows.label(i) != "" for i in range(len(rows)))


def test_line_numbers_do_not_depend_on_how_much_is_read_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"\n/a.mp4 3\n\n/b.mp4 4\n/\xff.mp4 5\n")
    for size in range(3, 40):
        monkeypatch.setattr(text_file, "CHUNK_BYTES", size)
        with pytest.raises(SourceError, match="line 5 is not UTF-8 text: byte 2 is 0xff"):
            read_rows(file)


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read_rows(tmp_path / "none.csv")
    assert str(caught.value) == f"{tmp_path}/none.csv: no such file or folder"
    (tmp_path / "list.json.gz").touch()
    with pytest.raises(SourceError) as caught:
        read_rows(tmp_path / "list.json.gz")
    known = "(known: .csv, .txt, .npy, each also with .gz; or a folder)"
    assert str(caught.value) == f"{tmp_path}/list.json.gz: unknown suffix '.json' {known}"


@pytest.mark.parametrize(
    "data", [b"/a.mp4 3\n", gzip.compress(b"/a.mp4 3\n" * 99, mtime=0)[:-9], b"\x1f\x8b\x08" + b"\0" * 20]
)
def test_broken_gzip(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "list.csv.gz"
    file.write_bytes(data)
    with pytest.raises(SourceError, match=r"list\.csv\.gz: broken gzip: "):
        read_rows(file)


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    file = tmp_path / "list.csv"
    file.write_text("/a.mp4 3\n")
    # Permissions do not bind the superuser, whom tests may run as.
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError) as caught:
        read_rows(file)
    assert str(caught.value) == f"{file}: cannot be read: Permission denied"


def test_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "list.csv"
    file.write_text("/a.mp4 3\n")

    def slow_read(path: Path) -> Any:
        table = _read_text(path)
        os.utime(file, ns=(1, 1))
        return table

    monkeypatch.setattr("vjepa_pipe.sources.lists.annotations._read_text", slow_read)
    with pytest.raises(SourceError, match="changed while it was read"):
        read_rows(file)


def test_errors_survive_pickling() -> None:
    error = SourceError("a.csv", "line 1 is odd")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is SourceError
    assert (str(again), again.path, again.reason) == ("a.csv: line 1 is odd", "a.csv", "line 1 is odd")
