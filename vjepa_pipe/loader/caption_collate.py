"""Captioned samples to a batch whose shapes are the same on every rank and at every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from vjepa_pipe.datasets.caption_tokens import IGNORED
from vjepa_pipe.loader.collate import Batch, stack


class VideoCollator:
    """Collates captioned samples: `pixel_values` `[B, F, 3, S, S]`, `frame_mask` `[B, F]` and what else they hold.

    Tensors are stacked, whole numbers become int64 tensors and everything else a list. `input_ids` and `labels`
    are cut or filled up to `max_text_len` first, never to the longest of the batch.

    Args:
        pad_id: Fills up `input_ids`; -100 fills up `labels`.
        max_text_len: Length of both; None for samples without text.

    Raises:
        ValueError: If `max_text_len` is not positive; when called, if a batch is empty.
    """

    def __init__(self, pad_id: int = 0, max_text_len: int | None = None) -> None:
        if max_text_len is not None and max_text_len <= 0:
            raise ValueError(f"max_text_len must be positive (got {max_text_len})")
        self.pad_id = pad_id
        self.max_text_len = max_text_len

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Batch:
        if not samples:
            raise ValueError("VideoCollator received an empty batch")
        return {name: stack([self._fixed(name, sample[name]) for sample in samples]) for name in samples[0]}

    def _fixed(self, name: str, value: Any) -> Any:
        padding = {"input_ids": self.pad_id, "labels": IGNORED}.get(name)
        if padding is None or self.max_text_len is None or not isinstance(value, torch.Tensor):
            return value
        return pad(value, (0, self.max_text_len - len(value)), value=padding)  # a negative length cuts
