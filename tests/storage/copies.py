"""Folders of this machine, copied to where only their URLs lead."""

from __future__ import annotations

from pathlib import Path

import pytest


def in_memory(folder: Path, name: str) -> str:
    """The URL of a copy of a folder in fsspec's memory, which lists and reads; what had the name is gone."""
    files = pytest.importorskip("fsspec").filesystem("memory")
    if files.exists(f"/{name}"):
        files.rm(f"/{name}", recursive=True)
    for file in folder.rglob("*"):
        if file.is_file():
            files.pipe(f"/{name}/{file.relative_to(folder)}", file.read_bytes())
    return f"memory://{name}"
