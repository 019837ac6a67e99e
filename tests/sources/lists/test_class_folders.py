"""Folders of classes, as torchvision reads them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from torchvision.datasets import ImageFolder

from vjepa_pipe.sources import SourceError, read_rows
from vjepa_pipe.sources.lists import class_folders as image_folder


def make(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


def test_same_samples_as_torchvision(tmp_path: Path) -> None:
    make(tmp_path, "zebra/b.JPG", "zebra/a.png", "zebra/deep/er/c.webp", "Ant/x.jpeg", "Ant/notes.txt", "cat é/1.tif")
    make(tmp_path, "cat é/b/2.bmp", "cat é/B/3.ppm", "cat é/4.TIFF", "readme.md")
    rows = read_rows(tmp_path)
    assert [(rows.path(i), rows.label(i)) for i in range(len(rows))] == ImageFolder(str(tmp_path)).samples
    assert image_folder.class_names(tmp_path) == ["Ant", "cat é", "zebra"]
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


def test_big_folders_are_kept_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [f"{i:060d}.jpg" for i in range(16_000)]
    (tmp_path / "data" / "a").mkdir(parents=True)
    monkeypatch.setattr(image_folder, "_files", lambda _, name: (f"{name}/{file}" for file in files))
    rows = read_rows(tmp_path / "data", cache_folder=tmp_path / "cache")
    assert len(pickle.dumps(rows)) < 1000
    assert pickle.loads(pickle.dumps(rows)).path(15_999) == f"{tmp_path}/data/a/{files[-1]}"
    files.append("one more.jpg")
    assert len(read_rows(tmp_path / "data", cache_folder=tmp_path / "cache")) == 16_001


def test_folders_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "flat/a.jpg", "odd/empty/readme.md", "odd/full/a.jpg")
    with pytest.raises(SourceError) as caught:
        read_rows(tmp_path / "flat")
    assert str(caught.value) == f"{tmp_path}/flat: has no class folders: expected FOLDER/CLASS/FILE"
    with pytest.raises(SourceError, match="class folder 'empty' holds no image or video"):
        read_rows(tmp_path / "odd")

    def refuse(_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(SourceError, match="flat: cannot be listed: Permission denied"):
        read_rows(tmp_path / "flat")
