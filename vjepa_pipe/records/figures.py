"""What a run's clips were like, over all its ranks, as `task=stream` leaves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.figures import Spread, merge
from vjepa_pipe.records.files import read_mapping


def summary_name(rank: int, ranks: int) -> str:
    """The file that a rank counts in."""
    return "summary.json" if ranks == 1 else f"summary_rank{rank}.json"


def read_figures(folder: Path) -> dict[str, float]:
    """The mean of each figure over the clips of all ranks; empty where nothing was streamed.

    Raises:
        UserError: If a file cannot be read.
    """
    files = sorted(folder.glob("summary*.json"), key=lambda file: file.stat().st_mtime)
    contents = {file: read_mapping(file) for file in files}
    # An earlier attempt in this folder may have had other ranks.
    ranks = contents[files[-1]].get("ranks") if files else None
    parts = [_figures(file, content) for file, content in contents.items() if content.get("ranks") == ranks]
    return {name: spread.mean for name, spread in merge(parts).items()}


def _figures(file: Path, content: dict[str, Any]) -> dict[str, Spread]:
    figures = content.get("figures", {})
    try:
        return {str(name): Spread.from_dict(figure) for name, figure in figures.items()}
    except (AttributeError, ValueError) as error:
        raise UserError(f"{file} is damaged: {error}") from error
