"""Lists of videos, written so that reading one gives the same rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from vjepa_pipe.files.whole_file import replacing

HEADER = ("path", "caption")


def write_annotations(file: Path, rows: Iterable[tuple[str, int | str]]) -> None:
    """Write paths and labels.

    Numbers stand on `path label` lines, or `path::label` where a path holds a space; text, which may hold anything, in
    CSV with a header.
    """
    pairs = list(rows)
    paths = [path for path, _ in pairs]
    with replacing(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        if any(isinstance(label, str) for _, label in pairs):
            csv.writer(stream, lineterminator="\n").writerows([HEADER, *pairs])
        elif any("::" in path for path in paths):
            csv.writer(stream, delimiter=" ", lineterminator="\n").writerows(pairs)
        else:
            mark = "::" if any(" " in path for path in paths) else " "
            stream.writelines(f"{path}{mark}{label}\n" for path, label in pairs)
