"""Folders of videos or images, at any depth, without labels or with the classes of torchvision's `ImageFolder`."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.files.glob import ALL, matches
from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES, is_image, is_media
from vjepa_pipe.sources.rows import Rows
from vjepa_pipe.sources.tables.cache import entry_of, keep, keep_arrays, latest, load_arrays, load_table, set_latest
from vjepa_pipe.sources.tables.columns import Table, TextColumn, digest_of, text_column
from vjepa_pipe.storage import Storage, name_of, shown_path

SETTLED_NS = 2 * 10**9
"""A folder that changed this shortly before it was listed may change again without a later time of change."""

logger = logging.getLogger(__name__)


def read_folder(
    folder: Path, name: str | None = None, cache_folder: Path | None = None, glob: str = ALL, labels: str = "folders"
) -> Rows:
    """The images and videos in a folder, at any depth; see `read_rows`.

    Hidden files and folders are left out. Links to folders are followed, but not back into a folder that they are in.
    Rows are sorted by path; with `labels=folders` class by class and then folder by folder, as in torchvision.

    A listing that is kept counts as long as none of the folders in it has another time of change.

    Args:
        folder: The folder.
        name: What the source is called; None: the folder's name.
        cache_folder: Where big listings are kept; None: `cache_dir()`.
        glob: Which files, by their path below the folder: in `*.mp4` and `train/*/*.mp4`, `*` stands for any part of a
            name, and `**` for any number of folders.
        labels: `none`: every label is 0; `folders`: the place of the file's class folder, `FOLDER/CLASS/.../FILE`,
            among all, sorted; files that are in none are left out.

    Raises:
        SourceError: A folder cannot be listed, or no file is found: in all of it, or in a class.
    """
    path, name = str(folder.absolute()), name or folder.absolute().name or "folder"
    listing = entry_of(cache_folder, "folder", path, glob, labels)
    entry = latest(listing)
    if entry is not None and _is_current(path, load_arrays(entry)):
        return Rows(name, load_table(entry, check=False), path, entry)
    started = time.time_ns()
    found = list(_walk(folder, glob))
    table = _by_class(folder, found, glob) if labels == "folders" else _unlabelled(folder, found, glob)
    walked = text_column(part.inside for part in found)
    changed = np.array([part.changed for part in found], np.int64)
    arrays = table.arrays() | {"folders": walked.blob, "folder_offsets": walked.offsets, "changed": changed}
    entry = keep_arrays(arrays, entry_of(cache_folder, path, digest_of(arrays)), folder)
    if entry is None:
        return Rows(name, table, path)
    if changed.max() < started - SETTLED_NS:
        set_latest(listing, entry)
    return Rows(name, load_table(entry, check=False), path, entry)


def read_stored_folder(
    url: str,
    storage: Storage,
    name: str | None = None,
    cache_folder: Path | None = None,
    glob: str = ALL,
    labels: str = "folders",
) -> Rows:
    """The images and videos below a folder of a store; see `read_folder`.

    It is listed each time, as nothing else says whether objects have been added or removed. Big tables are kept under
    what is in them, so that processes share their pages.

    Raises:
        ObjectError: It cannot be listed.
        StorageError: Its store does not answer.
        SourceError: No file is found.
    """
    url = url.rstrip("/")
    found = _walk_stored(url, glob, storage)
    table = _by_class(url, found, glob) if labels == "folders" else _unlabelled(url, found, glob)
    entry = entry_of(cache_folder, shown_path(url), digest_of(table.arrays()))
    table, kept = keep(table, entry, shown_path(url))
    return Rows(name or name_of(url), table, url, kept)


class _Folder(NamedTuple):
    """A folder that was walked through.

    Attributes:
        inside: Its path below the folder that was asked for; empty for that one.
        changed: Its time of change, in ns, before it was listed.
        files: Names of the images and videos in it that were asked for.
    """

    inside: str
    changed: int
    files: list[str]


def _walk(top: Path, glob: str) -> Iterator[_Folder]:
    wanted = glob.split("/")
    left: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while left:
        inside, above = left.pop()
        path = top / inside
        folders: list[str] = []
        files: list[str] = []
        try:
            facts = path.stat()
            same = (facts.st_dev, facts.st_ino)
            if same in above:
                continue
            with os.scandir(path) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        (folders if _is_folder(entry) else files).append(entry.name)
        except OSError as error:
            raise SourceError(path, f"cannot be listed: {error.strerror or error}") from error
        left += ((os.path.join(inside, name), above | {same}) for name in folders)  # noqa: PTH118
        parts = inside.split("/") if inside else []
        media = (name for name in files if is_media(name))
        found = [name for name in media if glob == ALL or matches([*parts, name], wanted)]
        yield _Folder(inside, facts.st_mtime_ns, found)


def _walk_stored(url: str, glob: str, storage: Storage) -> list[_Folder]:
    wanted, found = glob.split("/"), dict[str, list[str]]()
    for listed in storage.list_below(url):
        parts = listed.url.removeprefix(f"{url}/").split("/")
        if not any(part.startswith(".") for part in parts):
            files = found.setdefault("/".join(parts[:-1]), [])
            if is_media(parts[-1]) and (glob == ALL or matches(parts, wanted)):
                files.append(parts[-1])
    return [_Folder(inside, 0, files) for inside, files in found.items()]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link to itself, which is nothing
            return False
        raise


def _unlabelled(folder: str | Path, found: Sequence[_Folder], glob: str) -> Table:
    files = sorted(file for part in found for file in _files(part))
    if not files:
        raise SourceError(folder, _nothing(glob))
    _warn_of_two_kinds(folder, files)
    return Table(text_column(files), np.zeros(len(files), np.int64))


def _by_class(folder: str | Path, found: Sequence[_Folder], glob: str) -> Table:
    classes: dict[str, list[_Folder]] = {}
    for part in sorted(found):
        if part.inside:
            classes.setdefault(part.inside.split("/")[0], []).append(part)
    if not classes:
        raise SourceError(
            folder, "has no class folders: expected FOLDER/CLASS/FILE; data=folder reads folders without classes"
        )
    files: list[str] = []
    counts = []
    for name in sorted(classes):
        before = len(files)
        files += (file for part in classes[name] for file in _files(part))
        if len(files) == before:
            raise SourceError(folder, f"class folder {name!r} {_nothing(glob)}")
        counts.append(len(files) - before)
    _warn_of_two_kinds(folder, files)
    return Table(text_column(files), np.repeat(np.arange(len(counts), dtype=np.int64), counts))


def _files(part: _Folder) -> Iterator[str]:
    return (os.path.join(part.inside, name) for name in sorted(part.files))  # noqa: PTH118


def _nothing(glob: str) -> str:
    known = " ".join(IMAGE_SUFFIXES + VIDEO_SUFFIXES)
    if glob == ALL:
        return f"holds no image or video ({known})"
    deeper = "" if "/" in glob or ALL in glob else f"; data.glob='**/{glob}' looks into all folders below"
    return f"holds no image or video ({known}) that data.glob={glob!r} matches{deeper}"


def _warn_of_two_kinds(folder: str | Path, files: Sequence[str]) -> None:
    images = sum(map(is_image, files))
    if 0 < images < len(files):
        logger.warning(
            "%s holds %d images beside %d videos, and both are read: data.glob='**/*.mp4' takes those of one suffix",
            shown_path(str(folder)),
            images,
            len(files) - images,
        )


def _is_current(folder: str, kept: dict[str, NDArray[Any]]) -> bool:
    """Whether no folder has changed since it was listed; whoever adds, removes or renames a file changes its folder."""
    walked = TextColumn(kept["folders"], kept["folder_offsets"])
    try:
        return all(
            os.stat(os.path.join(folder, walked[number])).st_mtime_ns == changed  # noqa: PTH116, PTH118
            for number, changed in enumerate(kept["changed"].tolist())
        )
    except OSError:
        return False
