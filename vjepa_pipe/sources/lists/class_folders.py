"""Folders of classes: `FOLDER/CLASS/.../FILE`, the layout of torchvision's `ImageFolder`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES, is_media
from vjepa_pipe.sources.tables.columns import Table, TextBuilder


def class_names(folder: Path) -> list[str]:
    """Names of the class folders, sorted; a class's label is its place in this list.

    Hidden folders (`.ipynb_checkpoints`) are left out.

    Raises:
        SourceError: The folder cannot be listed or has no folders in it.
    """
    try:
        with os.scandir(folder) as found:
            names = sorted(item.name for item in found if item.is_dir() and not item.name.startswith("."))
    except OSError as error:
        raise SourceError(folder, f"cannot be listed: {error.strerror or error}") from error
    if not names:
        raise SourceError(folder, "has no class folders: expected FOLDER/CLASS/FILE")
    return names


def list_folder(folder: Path) -> Table:
    """List the images and videos of every class, at any depth, in torchvision's order.

    Paths are relative to `folder`; labels are the places of their classes in `class_names(folder)`.

    Raises:
        SourceError: There are no classes, one cannot be listed, or one holds no image or video.
    """
    paths = TextBuilder()
    counts = []
    names = class_names(folder)
    for name in names:
        count = 0
        for file in _files(folder, name):
            paths.append(file)
            count += 1
        if not count:
            suffixes = " ".join(IMAGE_SUFFIXES + VIDEO_SUFFIXES)
            raise SourceError(folder, f"class folder {name!r} holds no image or video ({suffixes})")
        counts.append(count)
    labels = np.repeat(np.arange(len(names), dtype=np.int64), counts)
    return Table(paths.build(), labels)


def _files(folder: Path, name: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise SourceError(folder, f"class folder {name!r} cannot be listed: {error.strerror or error}") from error

    for root, _, files in sorted(os.walk(folder / name, onerror=refuse, followlinks=True)):
        inside = Path(root).relative_to(folder)
        yield from (str(inside / file) for file in sorted(files) if is_media(file))
