"""What a run's clips were like, shown: a table at the end of the run, and text for single figures."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from vjepa_pipe.figures import FIGURES, OF_IMAGES, SHARES, Spread

MAX_SOURCES = 4
"""More sources are shown together only; `summary.json` has each."""
_TOKENS = {"encoder": "tokens the encoder sees", "predictor": "tokens to predict"}


def figures_table(
    figures: Mapping[str, Spread], sources: Mapping[str, Mapping[str, Spread]], asked_fps: float | None
) -> Table:
    """A row for each figure: its mean and range over all clips, and its mean in each of several sources.

    Args:
        figures: Of all clips.
        sources: Of each source.
        asked_fps: Frames per second that the experiment asks for; None: they follow from something else.
    """
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    shown = sources if 1 < len(sources) <= MAX_SOURCES else {}
    for title in ("clips", "mean", "smallest", "largest", *shown):
        table.add_column(escape(title), justify="left" if title == "clips" else "right")
    for name, spread in figures.items():
        asked = f" (asked: {asked_fps:g})" if name == "source_fps" and asked_fps is not None else ""
        means = (source[name].mean if name in source else math.nan for source in shown.values())
        values = (spread.mean, spread.min, spread.max, *means)
        table.add_row(escape(meaning(name) + asked), *(figure_text(name, value) for value in values))
    return table


def meaning(name: str) -> str:
    """A figure in words."""
    if name.startswith(OF_IMAGES):
        return f"images: {meaning(name.removeprefix(OF_IMAGES))}"
    if name in FIGURES:
        return FIGURES[name]
    mask, _, tokens = name.removeprefix("mask.").rpartition(".")
    return f"mask {mask}: {_TOKENS.get(tokens, name)}"


def figure_text(name: str, value: float) -> str:
    """A figure's value: shares in percent, other numbers with four digits; nothing for NaN."""
    name = name.removeprefix(OF_IMAGES)
    if math.isnan(value):
        return ""
    return f"{100 * value:.3g} %" if name in SHARES or name not in FIGURES else f"{value:.4g}"
