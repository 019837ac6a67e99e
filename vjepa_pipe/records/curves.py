"""`metrics.jsonl`: what a run measured as it went, a JSON object with numbers on each line.

    {"step": 100, "epoch": 0, "loss": 0.71}

A task of anyone's may write it into its run's folder. Lines of the same `step` belong together; where there is no
`step`, lines count. A run that went on from a checkpoint writes some steps once more: the later values are taken. Lines
that cannot be read, such as the last of a run that was killed, are passed over.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.tree import leaves
from vjepa_pipe.files.json_text import parse_json
from vjepa_pipe.files.regular_file import open_regular

CURVES = "metrics.jsonl"
STEP = "step"
MAX_BYTES = 2**26
LARGEST = 2.0**63
"""Numbers from here on are no measurement."""


def read_curves(folder: Path, most: int | None = None) -> dict[float, dict[str, float]]:
    """The numbers of `metrics.jsonl` for each step, in ascending order; empty where there is no such file.

    Args:
        folder: Of the run.
        most: Bytes that are read, from the end of the file; None: `MAX_BYTES`.

    Raises:
        UserError: If it cannot be read.
    """
    file = folder / CURVES
    if not file.exists():
        return {}
    try:
        with open_regular(file) as stream:
            most = MAX_BYTES if most is None else most
            stream.seek(max(0, file.stat().st_size - most))
            content = stream.read(most)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    steps: dict[float, dict[str, float]] = {}
    for number, line in enumerate(content.splitlines()):
        row = _numbers(line)
        step = row.pop(STEP, number)
        if row and math.isfinite(step):
            steps.setdefault(step, {}).update(row)
    return dict(sorted(steps.items()))


def last_values(curves: dict[float, dict[str, float]]) -> dict[str, float]:
    """The last value of each number."""
    last: dict[str, float] = {}
    for row in curves.values():
        last.update(row)
    return last


def _numbers(line: bytes) -> dict[str, float]:
    """The numbers of a line by dotted names; none of one that cannot be read."""
    try:
        row = parse_json(line)
    except ValueError:
        return {}
    found = dict(leaves(row)) if isinstance(row, dict) else {}
    return {name: value for name, value in found.items() if _is_number(value)}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not abs(value) >= LARGEST
