"""A picture of an index: for each source, how its files' lengths, rates, sizes and key frames spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vjepa_pipe.commands.index_facts import IndexFacts

MARGIN, GAP = 28, 26
PANEL = (290, 150)  # of the bars, in pixels
TITLE, LABELS, HEADING = 28, 24, 34
BACKGROUND, INK, SOFT_INK, LINE, BAR = (250, 250, 248), (30, 30, 34), (110, 110, 118), (205, 205, 205), (58, 110, 165)
SEPARATE = 10  # values that each have a bar of their own; more are drawn in bins
BINS, LABELLED = 30, 6
WIDE = 20  # where the largest value is so many times the smallest, bins grow with their values


class Bars(NamedTuple):
    """What is drawn in a panel.

    Attributes:
        heights: Files or distances in each bar.
        labels: Text under the axis, and where: 0 is the left end, 1 the right.
    """

    heights: NDArray[np.float64]
    labels: list[tuple[float, str]]


def draw_index(sources: Sequence[IndexFacts]) -> Image.Image:
    """An RGB picture with a row of four histograms for each source."""
    panels = [(source, _panels(source)) for source in sources]
    block = HEADING + TITLE + PANEL[1] + LABELS + GAP
    size = (2 * MARGIN + 4 * PANEL[0] + 3 * GAP, 2 * MARGIN + block * len(panels) - GAP)
    picture = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(picture)
    for number, (source, row) in enumerate(panels):
        top = MARGIN + number * block
        pen.text((MARGIN, top), source.name, INK, _font(19))
        about = f"{source.files:,} file{'s' * (source.files != 1)}, {source.bad:,} bad, {source.hours:,.2f} hours"
        pen.text((MARGIN + pen.textlength(source.name, _font(19)) + 16, top + 5), about, SOFT_INK, _font(14))
        for column, (title, bars) in enumerate(row):
            _draw_panel(pen, MARGIN + column * (PANEL[0] + GAP), top + HEADING, title, bars)
    return picture


def _panels(source: IndexFacts) -> list[tuple[str, Bars]]:
    lengths = np.unique(source.durations, return_counts=True)
    return [
        ("length, seconds", _bars(*lengths)),
        ("frame rate, frames per second", _bars(*_arrays(source.rates))),
        ("short side, pixels", _bars(*_arrays(source.short_sides))),
        ("key frame distance, frames", _bars(*_arrays(source.distances))),
    ]


def _arrays(counts: dict[Any, int]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    return np.array(list(counts), np.float64), np.array(list(counts.values()), np.int64)


def _bars(values: NDArray[Any], counts: NDArray[np.int64]) -> Bars:
    """A bar for each value where they are few, else bins, each from its label to the next."""
    order = np.argsort(values)
    values, counts = values[order], counts[order]
    if len(values) <= SEPARATE:
        places = (np.arange(len(values)) + 0.5) / max(len(values), 1)
        return Bars(counts.astype(np.float64), [(x, f"{v:.4g}") for x, v in zip(places, values, strict=True)])
    low, high = float(values[0]), float(values[-1])
    spaced = np.geomspace if low > 0 and high > WIDE * low else np.linspace
    edges = spaced(low, high, BINS + 1)
    edges[0], edges[-1] = low, high  # without the error of powers, which would leave the ends out
    if np.array_equal(values, values.round()):
        edges = np.unique(edges.round())  # bins between whole numbers would stay empty
    heights, bins = np.histogram(values, edges, weights=counts)[0], len(edges) - 1
    labelled = np.linspace(0, bins, LABELLED).round().astype(int).tolist()
    return Bars(heights, [(edge / bins, _short(edges[edge])) for edge in labelled])


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _draw_panel(pen: ImageDraw.ImageDraw, left: int, top: int, title: str, bars: Bars) -> None:
    width, height = PANEL
    floor = top + TITLE + height
    pen.text((left, top), title, INK, _font(14))
    if not len(bars.heights):
        pen.text((left + width // 2, floor - height // 2), "nothing to count", SOFT_INK, _font(14), anchor="mm")
        return
    most = f"{bars.heights.max():,.0f}"
    pen.text((left + width, top + TITLE - 8), most, SOFT_INK, _font(12), anchor="rs")
    pen.line((left, floor - height, left + width, floor - height), LINE)
    step = width / len(bars.heights)
    inset = max(1.0, step * 0.08) if len(bars.heights) > SEPARATE else max(step * 0.15, (step - 48) / 2)
    for number, share in enumerate(bars.heights / bars.heights.max()):
        if share > 0:  # at least a pixel, so that what is rare can be seen
            box = (
                left + number * step + inset,
                floor - max(share * height, 1.5),
                left + (number + 1) * step - inset,
                floor,
            )
            pen.rectangle(box, fill=BAR)
    pen.line((left, floor, left + width, floor), SOFT_INK)
    taken = float("-inf")
    for share, text in bars.labels:
        half = pen.textlength(text, _font(12)) / 2
        middle = min(max(left + share * width, left + half), left + width - half)
        if middle - half > taken + 4:
            pen.text((middle, floor + 6), text, SOFT_INK, _font(12), anchor="ma")
            taken = middle + half


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
