"""Every layout of an annotation file, read back."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe.sources import Rows, read_rows
from vjepa_pipe.sources.lists.layouts import INTEGER
from vjepa_pipe.sources.tables import text as text_file

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


def table(rows: Rows) -> list[tuple[str, int | str]]:
    return [(rows.path(i), rows.label(i)) for i in range(len(rows))]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("/a.mp4 3\n/b.mp4 4\n", [("/a.mp4", 3), ("/b.mp4", 4)], id="published"),
        pytest.param("/a.mp4 3\n/b.mp4 4", [("/a.mp4", 3), ("/b.mp4", 4)], id="no line feed at the end"),
        pytest.param("/a b/c d.mp4 3\n/b.mp4 4\n", [("/a b/c d.mp4", 3), ("/b.mp4", 4)], id="spaces in a path"),
        pytest.param("/a.mp4 3\r\n\r\n \n/b.mp4 4\r\n", [("/a.mp4", 3), ("/b.mp4", 4)], id="windows and blank lines"),
        pytest.param("\ufeff/a.mp4 3\n", [("/a.mp4", 3)], id="byte order mark"),
        pytest.param("  /a.mp4   3 \n", [("/a.mp4", 3)], id="more blanks"),
        pytest.param('"/a 5" 3\n"/say ""hi"".mp4" 4\n', [("/a 5", 3), ('/say "hi".mp4', 4)], id="quoted"),
        pytest.param('/a 5"b.mp4 3\n', [('/a 5"b.mp4', 3)], id="quote inside"),
        pytest.param("/a.mp4 -1\n/b.mp4 +007\n", [("/a.mp4", -1), ("/b.mp4", 7)], id="signs"),
        pytest.param(f"/a {-(2**63)}\n/b {2**63 - 1}\n", [("/a", -(2**63)), ("/b", 2**63 - 1)], id="64 bits"),
        pytest.param("/a.mp4 run\n/b.mp4 jump\n", [("/a.mp4", "run"), ("/b.mp4", "jump")], id="text labels"),
        pytest.param('/a b.mp4 "high jump"\n/b.mp4 run\n', [("/a b.mp4", "high jump"), ("/b.mp4", "run")], id="pandas"),
        pytest.param("/x::y.mp4 3\n/x,y.mp4 4\n", [("/x::y.mp4", 3), ("/x,y.mp4", 4)], id="separators in a path"),
        pytest.param("/café/日本.mp4 3\n", [("/café/日本.mp4", 3)], id="unicode"),
        pytest.param("/a.mp4::a man lifts 3\n", [("/a.mp4", "a man lifts 3")], id="caption that ends in a number"),
        pytest.param("/a.mp4::x::y\n/b c.mp4 :: 7\n", [("/a.mp4", "x::y"), ("/b c.mp4", "7")], id="captions"),
        pytest.param("/a b.mp4::3\n/c.mp4::4\n", [("/a b.mp4", 3), ("/c.mp4", 4)], id="integers after colons"),
        pytest.param("/a b.mp4,3\n/c.mp4, 4\n", [("/a b.mp4", 3), ("/c.mp4", 4)], id="comma"),
        pytest.param('"/a,b.mp4",3\n', [("/a,b.mp4", 3)], id="comma, quoted"),
        pytest.param("/a.mp4,high jump\n/b.mp4,run\n", [("/a.mp4", "high jump"), ("/b.mp4", "run")], id="comma, text"),
        pytest.param("path,label\n/a.mp4,3\n\n", [("/a.mp4", 3)], id="header"),
        pytest.param("id,Class_ID,Video\n9,3,/a.mp4\n", [("/a.mp4", 3)], id="header, other columns and case"),
        pytest.param("video,label,caption\n/a.mp4,3,run\n", [("/a.mp4", 3)], id="label before caption"),
        pytest.param(
            'path,caption\n/a.mp4,"a man,\nrunning"\n/b.mp4,7\n',
            [("/a.mp4", "a man,\nrunning"), ("/b.mp4", "7")],
            id="caption over two lines",
        ),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".TXT", ".csv.gz"])
def test_layouts(write: Write, content: str, expected: list[tuple[str, int | str]], suffix: str) -> None:
    data = content.encode()
    rows = read_rows(write(f"list{suffix}", gzip.compress(data) if suffix.endswith("gz") else data))
    assert table(rows) == expected
    assert rows.name == "list"


@pytest.mark.parametrize("content", ["/a.mp4 1\n\n/b c.mp4 22\n/d.mp4 3", "\n\n\n\n\n\n/a.mp4::one\n/b.mp4::two\n"])
def test_rows_do_not_depend_on_how_much_is_read_at_a_time(
    write: Write, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    file = write("list.csv", content)
    expected = table(read_rows(file))
    for size in range(3, 12):
        monkeypatch.setattr(text_file, "CHUNK_BYTES", size)
        assert table(read_rows(file)) == expected


_ANY_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r\ufeff"), min_size=1, max_size=20
)
_PATHS = _ANY_TEXT.map(lambda text: text.lstrip(" \t\r\"'") + ".mp4")
_WORDS = st.text("abc é日19", min_size=1, max_size=12).map(str.strip).filter(bool)


def _read(tmp_path_factory: pytest.TempPathFactory, content: str) -> list[tuple[str, int | str]]:
    file = tmp_path_factory.mktemp("property") / "list.csv"
    file.write_bytes(content.encode())
    return table(read_rows(file))


@given(rows=st.lists(st.tuples(_PATHS, st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=30), quote=st.booleans())
def test_any_path_with_integer_labels(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]], quote: bool
) -> None:
    rows = [("/" + path, label) for path, label in rows]
    lines = []
    for index, (path, label) in enumerate(rows):
        written = '"' + path.replace('"', '""') + '"' if quote and index % 2 else path
        lines.append(f"{written} {label}\n")
    assert _read(tmp_path_factory, "".join(lines)) == rows


@given(rows=st.lists(st.tuples(_PATHS.map(lambda path: "/" + path.replace(":", "")), _WORDS), min_size=1, max_size=30))
def test_any_caption(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    whole = all(INTEGER.fullmatch(label) for _, label in rows)
    expected = [(path, int(label) if whole else label) for path, label in rows]
    assert _read(tmp_path_factory, "".join(f"{path}::{label}\n" for path, label in rows)) == expected


@given(rows=st.lists(st.tuples(_PATHS.map(lambda path: "/" + path), _WORDS.map(lambda word: "x" + word)), max_size=30))
def test_any_csv(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    rows = [*rows, ('/a "quoted", path.mp4', 'over\ntwo "lines"')]
    text = io.StringIO()
    csv.writer(text).writerows([("path", "id", "text"), *((path, 1, label) for path, label in rows)])
    assert _read(tmp_path_factory, text.getvalue()) == rows


def test_relative_paths_start_at_the_annotation_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / "b.mp4").touch()
    file = write("list.csv", "missing.mp4 0\nb.mp4 1\n/absolute//c.mp4 2\n")
    rows = read_rows(file)
    assert [rows.path(i) for i in range(3)] == [f"{tmp_path}/missing.mp4", f"{tmp_path}/b.mp4", "/absolute//c.mp4"]


def test_annotation_file_named_from_the_working_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("list.csv", "a.mp4 0\n")
    (tmp_path / "a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    rows = read_rows("list.csv")
    monkeypatch.chdir("/")
    assert rows.path(0) == f"{tmp_path}/a.mp4"


def test_relative_paths_start_at_the_working_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "a.mp4").touch()
    monkeypatch.chdir(work)
    rows = read_rows(write("list.csv", "a.mp4 0\n"))
    monkeypatch.chdir("/")
    assert rows.path(0) == f"{work}/a.mp4"


def test_names(write: Write) -> None:
    assert read_rows(write("k400.train.csv", "/a.mp4 0\n")).name == "k400.train"
    assert read_rows(write("k400.csv.gz", gzip.compress(b"/a.mp4 0\n"))).name == "k400"
    assert read_rows(write("k.csv", "/a.mp4 0\n"), name="kinetics").name == "kinetics"
