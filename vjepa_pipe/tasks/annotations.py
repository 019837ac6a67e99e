"""Lists of videos, written as `path label` lines."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from vjepa_pipe.files.whole_file import replacing


def write_annotations(file: Path, lines: Iterable[tuple[str, int | str]]) -> None:
    """Write `path label` lines, or `path::label` where a path or label holds a space."""
    pairs = [(path, str(label)) for path, label in lines]
    with replacing(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        if any("::" in path for path, _ in pairs):
            csv.writer(stream, delimiter=" ", lineterminator="\n").writerows(pairs)
        else:
            mark = "::" if any(" " in path or " " in label for path, label in pairs) else " "
            stream.writelines(f"{path}{mark}{label}\n" for path, label in pairs)
