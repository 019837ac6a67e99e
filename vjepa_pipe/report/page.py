"""Results as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import base64
import html
import json
import math
from pathlib import Path
from typing import Any

from vjepa_pipe.report.results import Results, short_names, text

PREVIEW = "preview.png"
TEMPLATE = Path(__file__).with_name("page.html")


def page(results: Results, title: str) -> str:
    """The page: a table, a plot of settings against metrics, and each run's preview picture."""
    rows = results.rows()
    for row, run in zip(rows, results.runs, strict=True):
        row["settings"] = [_cell(value, "null") for value in row["settings"]]
        row["metrics"] = [_cell(value, "") for value in row["metrics"]]
        row["preview"] = _picture(run.folder / PREVIEW)
    content = {
        "settings": [{"name": n, "key": k} for n, k in zip(short_names(results.titles), results.titles, strict=True)],
        "metrics": results.metrics,
        "rows": rows,
    }
    # `</script>` in a name or an error message must not end the script that holds it.
    data = json.dumps(content, allow_nan=False, default=str).replace("<", "\\u003c")
    return TEMPLATE.read_text().replace("%TITLE%", html.escape(title)).replace("%DATA%", data)


def _cell(value: Any, null: str) -> dict[str, Any]:
    """A value as text, and as a number where it is one that can be drawn."""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None
    return {"text": null if value is None else text(value), "number": number}


def _picture(file: Path) -> str | None:
    try:
        return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()
    except OSError:  # a run that has not come so far, or a task that draws none
        return None
