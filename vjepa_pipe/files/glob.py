"""Paths against patterns, with `**` for any number of folders."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

ALL = "**"


def matches(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether the parts of a path match those of a glob."""
    if not wanted or not parts:
        return not parts and all(part == ALL for part in wanted)
    if wanted[0] == ALL:
        return matches(parts, wanted[1:]) or matches(parts[1:], wanted)
    return fnmatchcase(parts[0], wanted[0]) and matches(parts[1:], wanted[1:])
