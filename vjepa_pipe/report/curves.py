"""The picture of a training: each number of its `metrics.jsonl` over the steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, MARGIN, COLUMNS = 320, 200, 42, 3
LINE, GRID, TEXT = "#1f5fa8", "#dddddd", "#333333"
_NOT_DRAWN = ("step", "epoch")


def draw_curves(lines: Sequence[Mapping[str, Any]]) -> Image.Image | None:
    """A plot for each number that the lines hold.

    Args:
        lines: Each with its `step`, in order; a number may stand in some of them only.

    Returns:
        None where there is nothing to draw.
    """
    names = dict.fromkeys(name for line in lines for name in line if name not in _NOT_DRAWN)
    curves = {name: _points(lines, name) for name in names}
    curves = {name: points for name, points in curves.items() if points}
    if not curves:
        return None
    rows = -(-len(curves) // COLUMNS)
    image = Image.new("RGB", (WIDTH * min(COLUMNS, len(curves)), HEIGHT * rows), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(11)
    for place, (name, points) in enumerate(curves.items()):
        _plot(draw, font, name, points, WIDTH * (place % COLUMNS), HEIGHT * (place // COLUMNS))
    return image


def _points(lines: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    """Steps and values, of those that are finite numbers."""
    found = [(line.get("step"), line.get(name)) for line in lines]
    return [(float(x), float(y)) for x, y in found if _is_number(x) and _is_number(y)]  # type: ignore[arg-type]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _plot(
    draw: ImageDraw.ImageDraw, font: Any, name: str, points: Sequence[tuple[float, float]], left: int, top: int
) -> None:
    """One curve, with the ends of both axes and its last value."""
    steps, values = zip(*points, strict=True)
    first, last, low, high = min(steps), max(steps), min(values), max(values)
    box = (left + MARGIN, top + 24, left + WIDTH - 12, top + HEIGHT - 22)

    def at(step: float, value: float) -> tuple[float, float]:
        across = (step - first) / ((last - first) or 1)
        up = (value - low) / (high - low) if high > low else 0.5
        return box[0] + across * (box[2] - box[0]), box[3] - up * (box[3] - box[1])

    draw.rectangle(box, outline=GRID)
    draw.text((left + MARGIN, top + 6), f"{name}  {values[-1]:.4g}", TEXT, font)
    draw.text((left + 4, box[1] - 4), f"{high:.3g}", TEXT, font)
    draw.text((left + 4, box[3] - 8), f"{low:.3g}", TEXT, font)
    draw.text((box[0], box[3] + 4), f"step {first:.0f}", TEXT, font)
    draw.text((box[2], box[3] + 4), f"{last:.0f}", TEXT, font, anchor="ra")
    drawn = [at(*point) for point in points]
    if len(drawn) > 1:
        draw.line(drawn, LINE, 2)
    for x, y in drawn if len(drawn) < 40 else drawn[-1:]:
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), LINE)
