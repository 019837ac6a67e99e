"""What a run streamed, counted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from vjepa_pipe.config.errors import counted
from vjepa_pipe.loader import Report
from vjepa_pipe.loader.collate import Batch
from vjepa_pipe.records.files import write_json

MAX_LISTED = 100


class Summary:
    """Counts of the batches seen so far.

    Args:
        report: What the loader counts for each source.
    """

    def __init__(self, report: Report) -> None:
        self.batches = 0
        self.wait_sec = 0.0
        self._report = report
        self._started = time.perf_counter()
        self._ended = self._started
        self._shapes: dict[str, list[int] | list[list[int]]] = {}

    def add(self, groups: Sequence[Batch], wait_sec: float) -> None:
        """Count one batch: its groups of clips of one length, and how long it was waited for."""
        self.batches += 1
        self.wait_sec += wait_sec
        self._ended = time.perf_counter()
        for batch in groups:
            self._shapes |= {name: _shape(value) for name, value in batch.items() if _shape(value)}

    @property
    def clips(self) -> int:
        """Clips seen."""
        return sum(source.clips for source in self._report.sources.values())

    @property
    def replaced(self) -> int:
        """Bad rows in whose place another was read, as often as they came up."""
        return sum(source.replaced for source in self._report.sources.values())

    @property
    def seconds(self) -> float:
        """Time from the start to the last batch."""
        return self._ended - self._started

    def metrics(self) -> dict[str, Any]:
        """The figures that a sweep compares."""
        return {
            "clips": self.clips,
            "clips_per_sec": round(self.clips / self.seconds, 2) if self.seconds else 0.0,
            "wait_sec": round(self.wait_sec, 3),
            "replaced": self.replaced,
        }

    def line(self) -> str:
        """The figures in one line."""
        rate, waited = self.metrics()["clips_per_sec"], f"waited {self.wait_sec:.1f} s"
        return (
            f"{counted(self.clips, 'clip')} in {self.seconds:.1f} s, {rate} clips/s, {waited}, {self.replaced} replaced"
        )

    def write(self, file: Path) -> None:
        """Write everything as JSON.

        Raises:
            UserError: If it cannot be written.
        """
        sources = self._report.sources
        bad = [row._asdict() for source in sources.values() for row in source.bad]
        content = self.metrics() | {
            "batches": self.batches,
            "seconds": round(self.seconds, 3),
            "worker_restarts": self._report.restarts,
            "sources": {name: source.as_dict() for name, source in sources.items()},
            "shapes": self._shapes,
            "bad_samples": bad[:MAX_LISTED],
        }
        write_json(file, content)


def _shape(value: Any) -> list[int] | list[list[int]]:
    """The shape of a tensor, or of each tensor in a list; empty for anything else."""
    if isinstance(value, torch.Tensor):
        return list(value.shape)
    if isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
        return [list(item.shape) for item in value]
    return []
