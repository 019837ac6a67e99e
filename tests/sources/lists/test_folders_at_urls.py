"""Folders at URLs: the rows of the same folder on this machine, listed anew each time."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from storage.copies import in_memory, memory_is_gone

from vjepa_pipe.sources import Rows, SourceError, read_rows
from vjepa_pipe.storage import Storage, StorageError

fsspec = pytest.importorskip("fsspec")
FILES = ("b/2.mp4", "b/deep/er/1.webm", "a b/x#1?.mp4", "a b/.hidden.mp4", ".trash/c.mp4", "b/notes.txt", "a-b/1.mp4")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for file in FILES:
        (tmp_path / "videos" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / file).write_text(file)
    return tmp_path / "videos"


def contents(rows: Rows) -> list[tuple[str, int | str]]:
    return [(rows.path(row).removeprefix(rows.folder), rows.label(row)) for row in range(len(rows))]


@pytest.mark.parametrize("labels", ["none", "folders"])
@pytest.mark.parametrize(("glob", "count"), [("**", 4), ("**/*.mp4", 3), ("*/*.mp4", 3)])
@pytest.mark.parametrize("kept_bytes", [0, 1 << 20])
def test_rows_are_those_of_the_folder(
    root: Path, labels: str, glob: str, count: int, kept_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vjepa_pipe.sources.tables.cache.MAPPED_BYTES", kept_bytes)
    url, cache = in_memory(root, "videos"), root.parent / "cache"
    there, here = (read_rows(path, None, cache, glob, labels) for path in (f"{url}/", root))
    assert contents(there) == contents(here) and len(there) == count
    assert (there.name, there.fingerprint()) == ("videos", here.fingerprint()) and there.has_urls
    assert contents(pickle.loads(pickle.dumps(there))) == contents(here)
    assert Storage().open(there.path(0)).stream().read() == Path(here.path(0)).read_bytes()


def test_a_folder_that_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vjepa_pipe.sources.tables.cache.MAPPED_BYTES", 0)  # every table is kept
    url, cache = in_memory(root, "videos"), root.parent / "cache"
    first = read_rows(url, None, cache, labels="none")
    files = fsspec.filesystem("memory")
    files.rm("/videos/b/2.mp4")
    files.pipe("/videos/b/3.mp4", b"3")
    second = read_rows(url, None, cache, labels="none")
    assert [path for path, _ in contents(second)][-2:] == ["/b/3.mp4", "/b/deep/er/1.webm"]
    assert [path for path, _ in contents(first)][-2:] == ["/b/2.mp4", "/b/deep/er/1.webm"]


def test_folders_without_what_is_asked_for(root: Path) -> None:
    url = in_memory(root, "videos")
    with pytest.raises(SourceError, match=r"^memory://videos/b: class folder 'deep' holds no image or video"):
        read_rows(f"{url}/b", glob="*.gif")
    with pytest.raises(SourceError, match=r"^memory://videos: holds no image or video \(.* that data\.glob='\*\.mp4'"):
        read_rows(url, glob="*.mp4", labels="none")
    with pytest.raises(SourceError, match=r"^memory://videos/none: there is no such object$"):
        read_rows(f"{url}/none")
    with pytest.raises(SourceError, match=r"^http://host/videos: its files cannot be listed, as web servers do not"):
        read_rows("http://host/videos/")


def test_a_store_that_does_not_answer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vjepa_pipe.config.storage.FIRST_WAIT_SEC", 0.001)
    url = in_memory(root, "videos")
    memory_is_gone(monkeypatch)
    with pytest.raises(StorageError, match="memory://videos cannot be read: ConnectionError from its library"):
        read_rows(f"{url}/")
