"""What a loader has read, source by source, and whether too much of it was bad."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vjepa_pipe.config.errors import UserError, counted
from vjepa_pipe.datasets import BadSample
from vjepa_pipe.datasets.bad import KNOWN_BAD
from vjepa_pipe.loader.fetch import Delivery

logger = logging.getLogger(__name__)

JUDGED_FROM = 200
"""Rows of a source opened before its failure rate counts."""

SHOWN = 3


class TooManyFailures(UserError):
    """More of a source's rows cannot be read than the run is meant to put up with."""


@dataclass
class SourceReport:
    """Counts of one source; times are in seconds, summed over workers.

    Attributes:
        clips: Samples delivered.
        replaced: Bad rows in whose place another was read, as often as they came up.
        skipped: Samples left out of their batch.
        quarantined: Different bad rows.
        repeating: Clips in which frames repeat, as the file has fewer frames per second than were asked for.
        frames_used: Frames that samples hold, each counted once per sample.
        frames_decoded: Frames decoded for them; None where a decoder does not tell.
        open_sec: Opening files and indexing their packets.
        decode_sec: Seeking and decoding.
        transform_sec: Augmentation.
    """

    clips: int = 0
    replaced: int = 0
    skipped: int = 0
    quarantined: int = 0
    repeating: int = 0
    frames_used: int = 0
    frames_decoded: int | None = 0
    open_sec: float = 0.0
    decode_sec: float = 0.0
    transform_sec: float = 0.0
    _failed: int = field(default=0, repr=False)
    _bad_rows: dict[int, BadSample] = field(default_factory=dict, repr=False)

    @property
    def bad(self) -> list[BadSample]:
        """Each different bad row, the first found first."""
        return list(self._bad_rows.values())

    def add_bad(self, bad: BadSample) -> None:
        """A row that could not be read."""
        self._failed += bad.error not in KNOWN_BAD
        self._bad_rows.setdefault(bad.row, bad)
        self.quarantined = len(self._bad_rows)

    def check(self, name: str, max_failure_rate: float) -> None:
        """Raises TooManyFailures if the share of rows opened that could not be read is too large."""
        opened = self.clips + self._failed
        if opened >= JUDGED_FROM and self._failed > max_failure_rate * opened:
            raise TooManyFailures(
                f"source {name}: {self._failed} of {counted(opened, 'opened row')} could not be read, more than "
                f"loader.max_failure_rate={max_failure_rate:g}; for example: "
                + "; ".join(bad.reason for bad in self.bad[:SHOWN])
            )

    def as_dict(self) -> dict[str, Any]:
        """The public counts, times to the millisecond."""
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in asdict(self).items()
            if not name.startswith("_")
        }


class Report:
    """Counts of everything that a loader delivered.

    Args:
        sources: Names of all sources, so that one that is never drawn shows as 0.
        max_failure_rate: Largest share of a source's opened rows that may be bad.

    Attributes:
        sources: By name.
        restarts: Workers that died and were replaced.
    """

    def __init__(self, sources: Sequence[str], max_failure_rate: float = 1.0) -> None:
        self.sources = {name: SourceReport() for name in sources}
        self.restarts = 0
        self._max_failure_rate = max_failure_rate

    def add(self, delivery: Delivery) -> None:
        """Count one batch.

        Raises:
            TooManyFailures: If a source has turned out too bad.
        """
        for name, stats in delivery.read:
            source = self.sources[name]
            source.clips += 1
            source.frames_used += stats.frames_used
            if stats.repeats:
                source.repeating += 1
                if source.repeating == 1:
                    logger.warning("source %s: %s: frames repeat (counted as `repeating`)", name, stats.repeats)
            if source.frames_decoded is not None:
                decoded = stats.frames_decoded
                source.frames_decoded = None if decoded is None else source.frames_decoded + decoded
            source.open_sec += stats.open_sec
            source.decode_sec += stats.decode_sec
            source.transform_sec += stats.transform_sec
        for bad in delivery.bad:
            self.sources[bad.source].add_bad(bad)
            self.sources[bad.source].replaced += 1
        for name in delivery.skipped:
            self.sources[name].skipped += 1
            self.sources[name].replaced -= 1
        for name, source in self.sources.items():
            source.check(name, self._max_failure_rate)
