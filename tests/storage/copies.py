"""Folders of this machine, copied to where only their URLs lead."""

from __future__ import annotations

from pathlib import Path

import pytest


def memory_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """fsspec's memory answers nothing from now on."""

    def gone(*_: object, **__: object) -> None:
        raise ConnectionError

    for name in ("info", "find", "cat_file"):
        monkeypatch.setattr(f"fsspec.implementations.memory.MemoryFileSystem.{name}", gone)


def in_memory(folder: Path, name: str) -> str:
    """The URL of a copy of a folder in fsspec's memory, which lists and reads; what had the name is gone."""
    files = pytest.importorskip("fsspec").filesystem("memory")
    if files.exists(f"/{name}"):
        files.rm(f"/{name}", recursive=True)
    for file in folder.rglob("*"):
        if file.is_file():
            files.pipe(f"/{name}/{file.relative_to(folder)}", file.read_bytes())
    return f"memory://{name}"
