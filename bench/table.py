"""The result of `bench/compare.py` as one table for an issue or a page: python bench/table.py bench.json"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A table in Markdown, with what was run, where, and how far its rounds lie apart."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    yield f"{result['machine']}; {versions}."
    yield (
        f"{result['rounds']} rounds in turn, {result['batches']} batches of {result['batch_size']} clips each, "
        f"{result['workers']} workers. Clips per second: the median of the rounds, the lowest to the highest, and "
        "(ratio to the published loader; to the bare decode), medians of the ratios within a round."
    )
    yield ""
    names = list(dict.fromkeys(name for loaders in result["rows"].values() for name in loaders))
    rows, head = result["rows"].items(), ["footage", *names]
    yield from markdown(
        head, ([row, *(cell(loaders[name]) if name in loaders else "" for name in names)] for row, loaders in rows)
    )
    yield ""
    yield "Milliseconds of processor time per clip, all processes together:"
    yield ""
    yield from markdown(
        head,
        (
            [row, *(f"{loaders[name]['cpu_ms_per_clip']:.0f}" if name in loaders else "" for name in names)]
            for row, loaders in rows
        ),
    )


def markdown(head: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def cell(figures: dict[str, float]) -> str:
    """Such as `39.8, 35.1-41.0 (1.89; 0.87)`."""
    ratios = (f"{figures[name]:.2f}" if name in figures else "-" for name in ("times_published", "of_bare_decode"))
    return f"{figures['clips_per_s']:.1f}, {figures['lowest']:.1f}-{figures['highest']:.1f} ({'; '.join(ratios)})"


if __name__ == "__main__":
    print("\n".join(lines(json.loads(Path(sys.argv[1]).read_text()))))
