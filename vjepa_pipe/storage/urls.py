"""What a row of a list names, seen from where the list lies."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from urllib.parse import quote

from vjepa_pipe.config.urls import is_remote, local_path, scheme_of, shown_path


def absolute(path: str | Path) -> str:
    """A path from the root of this machine, with a leading `~` as the home folder; URLs of stores as they are."""
    return str(path) if is_remote(str(path)) else str(Path(local_path(str(path))).expanduser().absolute())


def folder_of(url: str) -> str:
    """The URL of the folder that an object lies in, without its query."""
    return _plain(url).rpartition("/")[0]


def join(folder: str, path: str) -> str:
    """The path or URL that a row names.

    A row is a path as on disk, absolute or not, or a URL; in the URL of a web server, what needs quoting is quoted.

    Args:
        folder: Where relative paths start: a folder of this machine or, as a URL, of a store.
        path: What the row says.
    """
    if "://" in path and scheme_of(path):
        return local_path(path)
    if not is_remote(folder) or path.startswith("/"):
        return os.path.join(folder, path)  # noqa: PTH118 (leaves `a//b` as it was written)
    root, _, inside = folder.partition("://")[2].partition("/")
    quoted = quote(path) if scheme_of(folder) in ("http", "https") else path
    return f"{scheme_of(folder)}://{root}{posixpath.normpath(posixpath.join('/', inside, quoted))}"


def name_of(url: str) -> str:
    """The last part of a URL's path."""
    return _plain(url).rpartition("/")[2]


def names_file(path: str, file: str) -> bool:
    """Whether a path or URL is that of a file, or ends with its last parts.

    Args:
        path: Of a row.
        file: What somebody calls it: all of it, or as many of its last parts as are said.
    """
    shown, wanted = (one if is_remote(one) else os.path.normpath(one) for one in map(shown_path, (path, file)))
    return shown == wanted or shown.endswith(f"/{wanted}")


def _plain(url: str) -> str:
    return url.partition("?")[0].partition("#")[0] if scheme_of(url) in ("http", "https") else url
