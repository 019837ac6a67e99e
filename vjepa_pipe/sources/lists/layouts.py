"""How a line of an annotation file is written: the layouts, and which one a file uses."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vjepa_pipe.sources.media import is_media

PATH_COLUMNS = (
    "path",
    "video_path",
    "video",
    "filepath",
    "file_path",
    "file",
    "filename",
    "file_name",
    "image_path",
    "image",
)
"""Header names of the path column; the first of these that a file has is used."""

LABEL_COLUMNS = ("label", "class", "class_id", "label_id", "target")
"""Header names of a class column: all integers, or all text."""

TEXT_COLUMNS = ("caption", "text")
"""Header names of a caption column, used when there is no class column; always text."""

INTEGER = re.compile(r"[+-]?[0-9]+")

_QUOTED = re.compile(r'(?:"((?:[^"]|"")+)"|([^"].*?)) +(?:"((?:[^"]|"")+)"|([^ "]+))')


def split_spaces(line: str) -> tuple[str, str]:
    """Split `path label`, the published layout (vjepa2 `src/datasets/video_dataset.py`).

    The label is the last word, so a path may hold spaces: `/a b/c.mp4 3`. Either side may stand in
    double quotes, doubled inside, as pandas writes them: `"/a b/c.mp4" "opening a door"`.

    Raises:
        ValueError: The line is not of this layout; says why.
    """
    if line.startswith('"') or line.endswith('"'):
        match = _QUOTED.fullmatch(line)
        if match is None:
            raise ValueError("has a double quote that is not closed, or no label after it")
        quoted_path, path, quoted_label, label = match.groups()
        return path or quoted_path.replace('""', '"'), label or quoted_label.replace('""', '"')
    path, _, label = line.rpartition(" ")
    path = path.rstrip(" \t\r")
    if not path or is_media(label):
        raise ValueError("has no label: expected `path label`")
    last = path.rpartition(" ")[2]
    if INTEGER.fullmatch(label) is None:
        if last != path:
            raise ValueError("has no integer at the end of several words: quote the path, or write `path::label`")
    elif last != path and INTEGER.fullmatch(last):
        raise ValueError("ends in two numbers: expected `path label`; quote a path that ends in a number")
    return path, label


def split_colons(line: str) -> tuple[str, str]:
    """Split `path::label`, the published layout for captions; the first `::` counts.

    Raises:
        ValueError: The line is not of this layout; says why.
    """
    path, _, label = (part.strip(" \t") for part in line.partition("::"))
    if not path or not label:
        raise ValueError("has no label: expected `path::label`")
    return path, label


def split_commas(line: str) -> tuple[str, str]:
    """Split `path,label` without a header, quoted as CSV files are.

    Raises:
        ValueError: The line is not of this layout; says why.
    """
    try:
        cells = [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise ValueError(f"is not CSV: {error}") from error
    if len(cells) != 2:
        raise ValueError(
            f"must have 2 columns when no header names them (got {len(cells)}): expected `path,label`, or a header "
            f"with one of {', '.join(PATH_COLUMNS)} and one of {', '.join(LABEL_COLUMNS + TEXT_COLUMNS)}"
        )
    if not all(cells):
        raise ValueError("has no label: expected `path,label`")
    path, label = cells
    if not is_media(path) and any(is_media(word) for word in path.split(" ")):
        raise ValueError("has words after the file name: expected `path,label`")
    return path, label


@dataclass(frozen=True)
class Layout:
    """A way to write a row.

    Attributes:
        split: Splits a line into path and label; ValueError when the line is written otherwise.
        captions: Labels are free text, where a number may stand among words.
    """

    split: Callable[[str], tuple[str, str]]
    captions: bool = False


SPACES = Layout(split_spaces)
COLONS = Layout(split_colons, captions=True)
COMMAS = Layout(split_commas)


def header_columns(line: str) -> list[str] | None:
    """The column names, when a line is the header of a CSV file; else None.

    A header holds one of the names above, and nothing that looks like a path.
    """
    try:
        cells = [cell.strip().lower() for cell in next(csv.reader([line], strict=True))]
    except csv.Error:
        return None
    named = any(cell in PATH_COLUMNS + LABEL_COLUMNS + TEXT_COLUMNS for cell in cells)
    return cells if named and not any("/" in cell or any(map(is_media, cell.split())) for cell in cells) else None


def sniff(lines: Sequence[str]) -> Layout:
    """The layout that most of a file's first lines are written in.

    Some lines fit several layouts: `/a/x::y.mp4 3`, `/b.mp4::lifts 3`. The layout that gives most paths
    ending like an image or a video is taken, then the one that fits most lines, then the first of:
    spaces before an integer, `::`, comma, spaces before text.
    """

    def fit(layout: Layout, integers: bool | None) -> tuple[int, int]:
        media = fits = 0
        for line in lines:
            try:
                path, label = layout.split(line)
            except ValueError:
                continue
            if integers is None or integers == bool(INTEGER.fullmatch(label)):
                fits += 1
                media += is_media(path)
        return media, fits

    candidates = ((SPACES, True), (COLONS, None), (COMMAS, None), (SPACES, False))
    best, integers = max(candidates, key=lambda candidate: fit(*candidate))  # the first of equals
    if fit(best, integers) == (0, 0) and "," in lines[0] and " " not in lines[0]:
        return COMMAS  # nothing fits: this one has the better words for what is wrong
    return best
