"""Results as one HTML file of a few megabytes at most, without network: see `THUMBNAILS_BYTES`."""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image
from rich.console import Console

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.records.curves import read_curves
from vjepa_pipe.report.design import Design
from vjepa_pipe.report.effects import main_effects, two_way_tables
from vjepa_pipe.report.findings import rerun_command
from vjepa_pipe.report.metric import Metric, is_number
from vjepa_pipe.report.ranking import rank
from vjepa_pipe.report.results import Results, short_names, text
from vjepa_pipe.report.table import ROWS

PREVIEW = "preview.png"
TEMPLATE = Path(__file__).with_name("page.html")
THUMBNAIL = (400, 176)
"""Pixels: of a run's picture the upper part, which shows its first clip."""
THUMBNAILS_BYTES = 2**21
"""Of all thumbnails; runs beyond show their own picture, where the page finds their folders."""
CURVE_POINTS, MIN_CURVE_POINTS = 100_000, 20
"""Points of all curves together, and of each one at least; longer curves are thinned."""


def page(results: Results, title: str, folder: Path, design: Design, metric: Metric | None) -> str:
    """The page: a ranking, effects of settings, plots, curves, a table, and a thumbnail of each run's preview.

    Args:
        results: Of all runs.
        title: What they are.
        folder: Where the page will stand; it names the runs' pictures from there.
        design: What varies in the runs.
        metric: What they are ranked by; None: they are not.
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
        "ranking": _ranking(results, design, metric),
        "effects": _effects(results, design, metric),
        "curves": _curves(results),
    }
    # `</script>` in a name or an error message must not end the script that holds it.
    data = json.dumps(content, allow_nan=False, default=str).replace("<", "\\u003c")
    return TEMPLATE.read_text().replace("%TITLE%", html.escape(title)).replace("%DATA%", data)


def _cell(value: Any, null: str) -> dict[str, Any]:
    """A value as text, and as a number where it is one that can be drawn."""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None
    return {"text": null if value is None else text(value), "number": number}


def _ranking(results: Results, design: Design, metric: Metric | None) -> dict[str, Any] | None:
    """The first points of the ranking; None where there is nothing to rank."""
    if metric is None or not design.factors or not (ranking := rank(design, metric)).points:
        return None
    return {
        "metric": metric.name,
        "direction": metric.direction,
        "verdict": ranking.verdict,
        "seeds": design.seeds,
        "rerun": rerun_command(results.runs[ranking.points[0].run]),
        "points": [asdict(point) for point in ranking.points[:ROWS]],
        "count": len(ranking.points),
    }


def _effects(results: Results, design: Design, metric: Metric | None) -> dict[str, Any]:
    """Main effects and two-way tables of each metric, the one that is ranked by first; and what cannot be told."""
    ranked = [] if metric is None else [metric.name]
    others = [name for name in results.metrics if any(is_number(run.metrics.get(name)) for run in results.runs)]
    of_metrics = {}
    for name in dict.fromkeys([*ranked, *others]) if design.factors else ():
        if main := main_effects(design, name):
            tables = two_way_tables(design, name)
            of_metrics[name] = {"main": [asdict(e) for e in main], "tables": [asdict(table) for table in tables]}
    return {"metrics": of_metrics, "notes": design.notes if design.factors else []}


def _curves(results: Results) -> dict[str, dict[int, list[list[float]]]]:
    """By name of a number, and by row: its steps, and its values at these."""
    read = {row: _curves_of(run.folder) for row, run in enumerate(results.runs)}
    names = list(dict.fromkeys(name for curves in read.values() for row in curves.values() for name in row))
    found: dict[str, dict[int, list[list[float]]]] = {}
    for name in names:
        for row, curves in read.items():
            points = [(step, values[name]) for step, values in curves.items() if is_number(values.get(name))]
            if len(points) > 1:
                found.setdefault(name, {})[row] = [list(axis) for axis in zip(*points, strict=True)]
    most = max(MIN_CURVE_POINTS, CURVE_POINTS // max(1, sum(map(len, found.values()))))
    return {n: {row: [_thinned(axis, most) for axis in one] for row, one in of.items()} for n, of in found.items()}


def _curves_of(folder: Path) -> dict[float, dict[str, float]]:
    """The curves of a run; none, and a line on stderr, where they cannot be read."""
    try:
        return read_curves(folder)
    except UserError as error:
        Console(stderr=True, soft_wrap=True).print(f"skipped {error}", markup=False, highlight=False)
        return {}


def _thinned(values: list[float], most: int) -> list[float]:
    """About `most` of some values, evenly spaced, with the first and the last."""
    if len(values) <= most:
        return values
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


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
