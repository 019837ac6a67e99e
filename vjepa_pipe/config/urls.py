"""URLs where a path can stand: what they are, and what may be shown of them."""

from __future__ import annotations

import re
from urllib.parse import unquote

FROM_OBSTORE = ("s3", "gs", "az", "http", "https")
"""Schemes that obstore reads; every other is left to fsspec, but for `file`, which names a path of this machine."""

EXTRA = "remote"
"""The extra that brings both."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_USER = re.compile(r"(?<=://)[^/?#]*@")


def scheme_of(path: str) -> str:
    """The scheme of a URL, in lower case; empty for a path of this machine."""
    found = _SCHEME.match(path)
    return found[1].lower() if found else ""


def is_remote(path: str) -> bool:
    """Whether a path is a URL that this machine's file system does not lead to."""
    return scheme_of(path) not in ("", "file")


def local_path(path: str) -> str:
    """The path that a `file://` URL names; all others as they are."""
    return unquote("/" + path.partition("://")[2].partition("/")[2]) if scheme_of(path) == "file" else path


def shown_path(path: str) -> str:
    """A path as messages and records show it: a URL without user, password and query, which may hold a secret."""
    if not is_remote(path):
        return path
    return re.split(r"[?#]" if scheme_of(path) in ("http", "https") else r"[?]", _USER.sub("", path), maxsplit=1)[0]
