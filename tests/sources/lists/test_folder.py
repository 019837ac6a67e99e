"""Folders of videos and images: without labels, and of classes as torchvision reads them."""

from __future__ import annotations

import logging
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vjepa_pipe.sources import Rows, SourceError, read_rows


def make(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


def unlabelled(folder: Path, glob: str = "**", cache: Path | None = None) -> list[str]:
    rows = read_rows(folder, cache_folder=cache, glob=glob, labels="none")
    assert {rows.label(i) for i in range(len(rows))} == {0}
    return paths(rows, folder)


def paths(rows: Rows, folder: Path) -> list[str]:
    return [os.path.relpath(rows.path(i), folder) for i in range(len(rows))]


def test_any_folder_without_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, "b.mp4", "a/z.MKV", "a.mp4", "a-b/x y.webm", "a/b/c\nd.m4v", "a/caf\udce9.ts")
    make(tmp_path, ".hidden.mp4", "a/._z.MKV", ".trash/c.mp4", "notes.txt", "a/x.json")
    found = unlabelled(tmp_path)
    assert found == ["a-b/x y.webm", "a.mp4", "a/b/c\nd.m4v", "a/caf\udce9.ts", "a/z.MKV", "b.mp4"] == sorted(found)
    assert not caplog.records
    make(tmp_path, "thumbnail.jpg")
    with caplog.at_level(logging.WARNING):
        assert len(unlabelled(tmp_path)) == 7
    assert "holds 1 images beside 6 videos, and both are read: data.glob=" in caplog.text


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.mp4", ["a.mp4"]),
        ("**/*.mp4", ["a.mp4", "val/b.mp4", "val/x/c.mp4"]),
        ("val/*.mp4", ["val/b.mp4"]),
        ("val/**", ["val/b.mp4", "val/x/c.mp4", "val/x/d.avi"]),
        ("**/x/**/[cd].*", ["val/x/c.mp4", "val/x/d.avi"]),
        ("*/*/*.???", ["val/x/c.mp4", "val/x/d.avi"]),
    ],
)
def test_a_glob_chooses_files(tmp_path: Path, glob: str, expected: list[str]) -> None:
    make(tmp_path, "a.mp4", "val/b.mp4", "val/x/c.mp4", "val/x/d.avi", "val/x/e.txt")
    assert unlabelled(tmp_path, glob) == expected
    assert unlabelled(tmp_path, glob) == sorted(
        str(file.relative_to(tmp_path))
        for file in tmp_path.glob(f"{glob}/*" if glob.endswith("**") else glob)
        if file.suffix in (".mp4", ".avi")
    )


def test_links_are_followed_without_circles(tmp_path: Path) -> None:
    make(tmp_path, "top/a/1.mp4", "top/b/2.mp4", "elsewhere/3.mp4")
    for link, to in (("a/up", ".."), ("a/self", "."), ("a/more", "../../elsewhere"), ("b/a", "../a"), ("loop", "loop")):
        (tmp_path / "top" / link).symlink_to(to)
    (tmp_path / "elsewhere" / "back").symlink_to("../top")
    (tmp_path / "top" / "gone.mp4").symlink_to("nowhere.mp4")  # named when it is read
    twice = ["a/1.mp4", "a/more/3.mp4"]
    assert unlabelled(tmp_path / "top") == [*twice, "b/2.mp4", *(f"b/{file}" for file in twice), "gone.mp4"]


def test_a_folder_without_what_is_asked_for_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "notes.txt", "deep/er/a.mp4")
    with pytest.raises(
        SourceError, match=r"\.mp4.*\) that data.glob='\*.mp4' matches; data.glob='\*\*/\*.mp4' looks into"
    ):
        unlabelled(tmp_path, "*.mp4")
    (tmp_path / "deep/er/a.mp4").unlink()
    with pytest.raises(SourceError, match=rf"^{tmp_path}: holds no image or video \([^)]*\)$"):
        unlabelled(tmp_path)
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("er"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(SourceError, match=rf"^{tmp_path}/deep/er: cannot be listed: Permission denied$"):
        unlabelled(tmp_path)


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that changed a while ago, of a cache that keeps tables of any size."""
    monkeypatch.setattr("vjepa_pipe.sources.tables.cache.MAPPED_BYTES", 0)
    make(tmp_path / "data", "a.mp4", "x/b.mp4", "x/y/c.mp4")
    settle(tmp_path / "data")
    return tmp_path / "data"


def settle(folder: Path) -> None:
    for number, one in enumerate([*sorted(folder.rglob("*/")), folder]):
        before = time.time() - 100 + number
        os.utime(one, (before, before))


def test_a_folder_is_listed_once_until_one_below_changes(settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, listed, scan = settled.parent / "cache", [], os.scandir
    monkeypatch.setattr("os.scandir", lambda path: (listed.append(str(path)), scan(path))[1])

    def folders_listed(glob: str = "**") -> int:
        listed.clear()
        first = unlabelled(settled, glob, cache)
        assert first == [file for file in ("a.mp4", "x/b.mp4", "x/y/c.mp4", "x/y/d.mp4") if (settled / file).exists()]
        return sum(path.startswith(str(settled)) for path in listed)

    assert [folders_listed(), folders_listed(), folders_listed()] == [3, 0, 0]
    make(settled, "x/y/d.mp4")
    assert [folders_listed(), folders_listed()] == [3, 3]  # it may still be changing, in the same tick of the clock
    settle(settled)
    assert [folders_listed(), folders_listed()] == [3, 0]
    (settled / "x/b.mp4").unlink()
    settle(settled)
    os.utime(settled / "x", (1, 1))
    assert [folders_listed(), folders_listed(), folders_listed("**/*")] == [3, 0, 3]


def test_workers_keep_the_listing_that_they_started_with(settled: Path) -> None:
    rows = read_rows(settled, cache_folder=settled.parent / "cache", labels="none")
    worker = pickle.dumps(rows)
    make(settled, "0.mp4")
    settle(settled)
    assert len(read_rows(settled, cache_folder=settled.parent / "cache", labels="none")) == 4
    assert paths(pickle.loads(worker), settled) == ["a.mp4", "x/b.mp4", "x/y/c.mp4"]


def test_a_listing_that_was_removed_or_damaged_is_made_again(settled: Path) -> None:
    cache = settled.parent / "cache"
    expected = unlabelled(settled, cache=cache)
    (pointer,) = (file for file in (cache / "rows").iterdir() if file.is_file())
    for text in ("", "../..", "f" * 32, "\xff"):
        pointer.write_text(text, encoding="latin-1")
        assert unlabelled(settled, cache=cache) == expected
        assert pointer.read_text() not in ("", text)


def test_same_samples_as_torchvision(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    make(tmp_path, "zebra/b.JPG", "zebra/a.png", "zebra/deep/er/c.webp", "Ant/x.jpeg", "Ant/notes.txt", "cat é/1.tif")
    make(tmp_path, "cat é/b/2.bmp", "cat é/B/3.ppm", "cat é/4.TIFF", "readme.md")
    rows = read_rows(tmp_path)
    assert [(rows.path(i), rows.label(i)) for i in range(len(rows))] == ImageFolder(str(tmp_path)).samples
    assert [rows.label(i) for i in (0, 1, len(rows) - 1)] == [0, 1, 2]
    assert rows.name == tmp_path.name


def test_folders_of_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "run/a.MP4", "run/b.webm", "jump/c.mkv", "jump/d.avi", "jump/e.mov", ".hidden/f.mp4")
    monkeypatch.chdir(tmp_path.parent)
    rows = read_rows(tmp_path.name)
    expected = [("jump/c.mkv", 0), ("jump/d.avi", 0), ("jump/e.mov", 0), ("run/a.MP4", 1), ("run/b.webm", 1)]
    assert [(rows.path(i), rows.label(i)) for i in range(len(rows))] == [(f"{tmp_path}/{p}", n) for p, n in expected]


def test_file_names_that_are_not_text(tmp_path: Path) -> None:
    make(tmp_path, "a/caf\udce9.jpg")
    rows = read_rows(tmp_path)
    assert Path(rows.path(0)).exists()
    assert pickle.loads(pickle.dumps(rows)).path(0) == rows.path(0)


def test_folders_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "flat/a.jpg", "odd/empty/readme.md", "odd/full/a.jpg")
    with pytest.raises(SourceError) as caught:
        read_rows(tmp_path / "flat")
    assert str(caught.value) == f"{tmp_path}/flat: has no class folders: expected FOLDER/CLASS/FILE; " + (
        "data=folder reads folders without classes"
    )
    with pytest.raises(SourceError, match="class folder 'empty' holds no image or video"):
        read_rows(tmp_path / "odd")

    def refuse(_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(SourceError, match="flat: cannot be listed: Permission denied"):
        read_rows(tmp_path / "flat")
