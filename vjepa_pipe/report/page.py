"""Results as one HTML file of a few megabytes at most, without network: see `THUMBNAILS_BYTES`."""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from vjepa_pipe.report.results import Results, short_names, text
from vjepa_pipe.report.table import ROWS

PREVIEW = "preview.png"
TEMPLATE = Path(__file__).with_name("page.html")
THUMBNAIL = (400, 176)
"""Pixels: of a run's picture the upper part, which shows its first clip."""
THUMBNAILS_BYTES = 2**21
"""Of all thumbnails; runs beyond show their own picture, where the page finds their folders."""


def page(results: Results, title: str, folder: Path) -> str:
    """The page: a table, plots of metrics against settings, and a thumbnail of each run's preview.

    Args:
        results: Of all runs.
        title: What they are.
        folder: Where the page will stand; it names the runs' pictures from there.
    """
    rows, left = results.rows(), THUMBNAILS_BYTES
    for row, run in zip(rows, results.runs, strict=True):
        row["settings"] = [_cell(value, "null") for value in row["settings"]]
        row["metrics"] = [_cell(value, "") for value in row["metrics"]]
        row["preview"] = row["thumbnail"] = None
        picture = run.folder / PREVIEW
        if picture.is_file():
            row["preview"] = quote(Path(os.path.relpath(picture, folder)).as_posix())
            row["thumbnail"] = thumbnail(picture) if left > 0 else None
            left -= len(row["thumbnail"] or "")
    content = {
        "settings": [{"name": n, "key": k} for n, k in zip(short_names(results.titles), results.titles, strict=True)],
        "metrics": results.metrics,
        "same": [{"name": name, "text": text(value)} for name, value in results.same.items()],
        "rows": rows,
        "page": ROWS,
    }
    # `</script>` in a name or an error message must not end the script that holds it.
    data = json.dumps(content, allow_nan=False, default=str).replace("<", "\\u003c")
    return TEMPLATE.read_text().replace("%TITLE%", html.escape(title)).replace("%DATA%", data)


def _cell(value: Any, null: str) -> dict[str, Any]:
    """A value as text, and as a number where it is one that can be drawn."""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None
    return {"text": null if value is None else text(value), "number": number}


def thumbnail(file: Path) -> str | None:
    """The upper part of a picture as a small JPEG, in a data URI; None for a file that is no picture."""
    width, height = THUMBNAIL
    try:
        with Image.open(file) as picture:
            part = picture.convert("RGB").crop(
                (0, 0, picture.width, min(picture.height, picture.width * height // width))
            )
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    part.thumbnail((width, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    part.save(stream, "JPEG", quality=60, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
