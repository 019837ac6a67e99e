"""Indexes for tests, made in this process as task=index makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vjepa_pipe.sources import Rows, read_rows
from vjepa_pipe.sources.probed.index_file import stamp
from vjepa_pipe.tasks.index_parts import write_index
from vjepa_pipe.video import VideoError, probe


def entry_of(path: str) -> dict[str, Any]:
    """What the index says of a file."""
    entry: dict[str, Any] = {"path": path, "stamp": stamp(path), "error": None}
    try:
        return entry | probe(path)._asdict()
    except (VideoError, OSError) as error:
        return entry | {"error": str(error)}


def index_of(source: Path | Rows, folder: Path) -> Path:
    """Write the index of a source into a folder, which is returned."""
    rows = source if isinstance(source, Rows) else read_rows(source)
    folder.mkdir(exist_ok=True)
    paths = dict.fromkeys(rows.path(row) for row in range(len(rows)))
    write_index(folder / f"{rows.name}.parquet", map(entry_of, paths))
    return folder
