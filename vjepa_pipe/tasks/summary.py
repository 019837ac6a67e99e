"""What a run streamed, counted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.image import IMAGE
from vjepa_pipe.figures import OF_IMAGES
from vjepa_pipe.loader import Report
from vjepa_pipe.loader.collate import Batch
from vjepa_pipe.records.files import write_json
from vjepa_pipe.report.figures import figures_table

MAX_LISTED = 100


class Summary:
    """Counts of the batches seen so far.

    Args:
        report: What the loader counts for each source.
        asked_fps: Frames per second that the experiment asks for; None: they follow from something else.
        ranks: How many ranks write a summary, each of its own clips.
    """

    def __init__(self, report: Report, asked_fps: float | None = None, ranks: int = 1) -> None:
        self.batches = self.image_batches = 0
        self.wait_sec = 0.0
        self._report = report
        self._asked_fps = asked_fps
        self._ranks = ranks
        self._started = time.perf_counter()
        self._ended = self._started
        self._shapes: dict[str, list[int] | list[list[int]]] = {}

    def add(self, groups: Sequence[Batch], wait_sec: float) -> None:
        """Count one batch: its groups of clips of one length, and how long it was waited for."""
        self.batches += 1
        self.image_batches += self.of_images(groups[0])
        self.wait_sec += wait_sec
        self._ended = time.perf_counter()
        for batch in groups:
            of = OF_IMAGES if self.of_images(batch) else ""
            self._shapes |= {f"{of}{name}": _shape(value) for name, value in batch.items() if _shape(value)}

    def of_images(self, batch: Batch) -> bool:
        """Whether a batch is one of the images beside videos."""
        return bool(self._report.images) and batch.get("modality") == IMAGE

    @property
    def clips(self) -> int:
        """Clips seen, images among them."""
        return self._report.clips

    @property
    def images(self) -> int:
        """Images seen, where they are streamed beside videos."""
        return sum(source.clips for name, source in self._report.sources.items() if name in self._report.images)

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
        } | ({"image.clips": self.images} if self._report.images else {})

    def print(self, console: Console, quarantine: Path) -> None:
        """Say how fast it was, what the clips were like, and which rows were bad.

        Args:
            console: Where.
            quarantine: The file that names the bad rows.
        """
        report, rate = self._report, self.metrics()["clips_per_sec"]
        place = report.first
        since = f", counted from epoch {place.epoch}, batch {place.batch}" if place and any(place) else ""
        rank = f"rank 0 of {self._ranks}: " if self._ranks > 1 else ""
        console.print(
            f"{rank}{counted(self.clips, 'clip')} in {self.seconds:.1f} s{since}, {rate} clips/s, "
            f"waited {self.wait_sec:.1f} s, {self.replaced} replaced",
            highlight=False,
        )
        if report.images:
            batches = f"{self.image_batches} of {counted(self.batches, 'batch', 'batches')}"
            console.print(f"{counted(self.images, 'image')} in {batches}, the others of videos", highlight=False)
        if figures := report.figures:
            console.print(figures_table(figures, report.figures_by_source, self._asked_fps))
        if bad := report.bad_rows(quarantine):
            console.print(bad, markup=False, highlight=False, soft_wrap=True)
        report.bad_rows_told = True

    def write(self, file: Path) -> None:
        """Write everything as JSON.

        Raises:
            UserError: If it cannot be written.
        """
        report, sources = self._report, self._report.sources
        bad = [{"listed_in": source.listed_in} | row._asdict() for source in sources.values() for row in source.bad]
        first = report.first
        content = self.metrics() | {
            "batches": self.batches,
            **({"image.batches": self.image_batches} if report.images else {}),
            "seconds": round(self.seconds, 3),
            "worker_restarts": report.restarts,
            "counted_from": None if first is None else first._asdict(),
            "figures": {name: spread.as_dict() for name, spread in report.figures.items()},
            "asked_fps": self._asked_fps,
            "ranks": self._ranks,
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
