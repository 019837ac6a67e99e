"""Samples of a mix of videos and images to a batch of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vjepa_pipe.loader.fetch import Collate


class MixedCollator:
    """Collates the samples of a batch, which are all of one stream, with the collator of that stream.

    The batch, or each of a list of batches, also says its `modality`, `video` or `image`, if it is a dict. What else a
    collator makes is passed on as it is; the samples that it is given say their `modality`, too.

    Args:
        collators: The collator of each stream, by its modality.
    """

    def __init__(self, collators: Mapping[str, Collate]) -> None:
        self.collators = collators

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Any:
        modality = samples[0]["modality"]
        made = self.collators[modality](samples)
        return [_named(one, modality) for one in made] if isinstance(made, list) else _named(made, modality)


def _named(batch: Any, modality: str) -> Any:
    return {**batch, "modality": modality} if isinstance(batch, dict) else batch
