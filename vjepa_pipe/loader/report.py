"""What a loader has read, source by source: what it cost, what the clips were like, and whether too much was bad."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vjepa_pipe.config.errors import UserError, counted
from vjepa_pipe.config.image import IMAGE, VIDEO
from vjepa_pipe.config.mask import MaskConfig, mask_names
from vjepa_pipe.datasets import BadSample
from vjepa_pipe.datasets.bad import BAD_IN_INDEX, KNOWN_BAD
from vjepa_pipe.figures import OF_IMAGES, Spread, merge, token_figures
from vjepa_pipe.loader.fetch import Delivery
from vjepa_pipe.loader.sampler import Place

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
        listed_in: The file or folder that lists its rows; empty where nobody has said.
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
        figures: What its clips were like, by the names of `vjepa_pipe.figures.FIGURES`.
    """

    listed_in: str = ""
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
    figures: dict[str, Spread] = field(default_factory=dict)
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

    def check(self, name: str, max_failure_rate: float, repeats: int) -> None:
        """Raises TooManyFailures if the share of rows opened that could not be read is too large."""
        opened = self.clips // repeats + self._failed
        if opened >= JUDGED_FROM and self._failed > max_failure_rate * opened:
            raise TooManyFailures(
                f"source {name}: {self._failed} of {counted(opened, 'opened row')} could not be read, more than "
                f"loader.max_failure_rate={max_failure_rate:g}; for example: "
                + "; ".join(bad.reason for bad in self.bad[:SHOWN])
            )

    def as_dict(self) -> dict[str, Any]:
        """The public counts, times to the millisecond."""
        counts = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        times = {name: round(value, 3) for name, value in counts.items() if isinstance(value, float)}
        return counts | times | {"figures": {name: spread.as_dict() for name, spread in self.figures.items()}}


class Report:
    """Counts of everything that a loader delivered.

    Args:
        sources: Names of all sources, so that one that is never drawn shows as 0, and where their rows are listed.
        max_failure_rate: Largest share of a source's opened rows that may be bad.
        masks: The masks of the batches of each modality, if they have any.
        repeats: Samples that are taken from each row of a source that is opened; unset: one.
        images: Names of the sources of images that are streamed beside videos.

    Attributes:
        sources: By name.
        images: Those of images that are streamed beside videos.
        restarts: Workers that died and were replaced.
        tokens: Shares of a clip's tokens that each mask leaves to the encoder and to the predictor.
        first: The place of the first batch that is counted; None before it.
        bad_rows_told: Somebody has said which rows were bad; nobody need be warned of them.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        max_failure_rate: float = 1.0,
        masks: Mapping[str, MaskConfig] | None = None,
        repeats: Mapping[str, int] | None = None,
        images: Collection[str] = (),
    ) -> None:
        self.images = images
        self.sources = {name: SourceReport(listed) for name, listed in sources.items()}
        self.restarts = 0
        self.tokens: dict[str, Spread] = {}
        self.first: Place | None = None
        self.bad_rows_told = False
        self._max_failure_rate = max_failure_rate
        self._masks = masks or {}
        self._repeats = repeats or {}

    @property
    def figures(self) -> dict[str, Spread]:
        """What the clips of all sources were like, and their masks; of images beside videos, see `OF_IMAGES`."""
        return merge(self.figures_by_source.values()) | self.tokens

    @property
    def figures_by_source(self) -> dict[str, dict[str, Spread]]:
        """What the clips of each source were like."""
        return {
            name: {
                f"{OF_IMAGES if name in self.images else ''}{figure}": spread for figure, spread in one.figures.items()
            }
            for name, one in self.sources.items()
        }

    @property
    def clips(self) -> int:
        """Samples delivered."""
        return sum(source.clips for source in self.sources.values())

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
            for figure, value in stats.figures.items():
                source.figures.setdefault(figure, Spread()).add(value)
        for batch in delivery.batch if isinstance(delivery.batch, list) else [delivery.batch]:
            self._add_tokens(batch)
        for bad in delivery.bad:
            self.sources[bad.source].add_bad(bad)
            self.sources[bad.source].replaced += not delivery.skipped  # where samples are left out, none is replaced
        for name in delivery.skipped:
            self.sources[name].skipped += 1
        for name, source in self.sources.items():
            source.check(name, self._max_failure_rate, self._repeats.get(name, 1))

    def bad_rows(self, quarantine: Path) -> str:
        """A line on the bad rows of each list, their errors and where they are named; empty if there are none.

        Args:
            quarantine: The file in which they are.
        """
        bad = [row for source in self.sources.values() for row in source.bad]
        if not bad:
            return ""
        found = ", ".join(
            f"{source.quarantined} in {source.listed_in or name} ({_counted(row.error for row in source.bad)})"
            for name, source in self.sources.items()
            if source.bad
        )
        named = f"; named in {quarantine}" if any(row.error != BAD_IN_INDEX for row in bad) else ""
        return f"bad rows: {found}{named}; the first: {bad[0].reason}"

    def _add_tokens(self, batch: Any) -> None:
        """The masks' shares of tokens, from the shapes in a batch; one of a user's collator may have another form."""
        if not isinstance(batch, dict) or not {"video", "masks_enc", "masks_pred"} <= batch.keys():
            return
        if not isinstance(batch["video"], torch.Tensor) or batch["video"].ndim < 4:
            return
        frames, height, width = batch["video"].shape[-3:]
        image = bool(self.images) and batch.get("modality") == IMAGE
        mask = self._masks.get(IMAGE if image else VIDEO, MaskConfig())
        tokens = frames // mask.tubelet_size * (height // mask.patch_size) * (width // mask.patch_size)
        pairs = list(zip(batch["masks_enc"], batch["masks_pred"], strict=False))
        for name, pair in zip(mask_names(mask, len(pairs)), pairs, strict=True):
            if not all(isinstance(part, torch.Tensor) and part.ndim == 2 for part in pair) or not tokens:
                continue
            seen, predicted = (part.shape[1] for part in pair)
            for figure, value in token_figures(name, seen, predicted, tokens).items():
                self.tokens.setdefault(f"{OF_IMAGES if image else ''}{figure}", Spread()).add(value, len(pair[0]))


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common())
