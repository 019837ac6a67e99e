"""Captions as tokens, with the labels that a language model is trained on."""

from __future__ import annotations

from typing import Any

import torch

from vjepa_pipe.config.captioned import LABELS
from vjepa_pipe.config.errors import ConfigError, UserError, counted

IGNORED = -100
"""Label of a position that is not trained on; what torch's cross entropy leaves out."""


class CaptionTokens:
    """Turns a caption into `input_ids` and `labels` of a fixed length.

    Prompt and caption are tokenised apart and joined without anything between them. `next_token` labels each
    position with the token that follows it, the last with the end-of-text token if there is one:

        prompt "ab", caption "xyz":   input_ids  a   b   x   y   z   pad
                                      labels   -100  x   y   z  end  -100

    `reference` labels each position of the caption with its own token, as KempnerForge first published it; that
    trains a copy, so it is there for comparison only.

    Args:
        tokenizer: A transformers tokenizer, or an object with `encode(text, add_special_tokens=False)`,
            `pad_token_id` and `eos_token_id`.
        max_text_len: Length of both tensors.
        prompt: Text before each caption; its tokens are not trained on.
        labels: `next_token` or `reference`.

    Raises:
        ConfigError: If the prompt leaves no room for a caption, or an argument is out of range; a ValueError.
    """

    def __init__(self, tokenizer: Any, max_text_len: int, prompt: str = "", labels: str = "next_token") -> None:
        if labels not in LABELS:
            raise ConfigError([f"data.text.labels must be one of {', '.join(LABELS)} (got {labels!r})"])
        self.tokenizer = tokenizer
        self.max_text_len = max_text_len
        self.labels = labels
        self.pad_id = pad_id_of(tokenizer)
        self._prompt = self._encode(prompt)
        shortest = len(self._prompt) + 1 if labels == "reference" else max(2, len(self._prompt))
        if max_text_len < shortest:
            room = f"to train on a caption after the prompt's {counted(len(self._prompt), 'token')}"
            raise ConfigError([f"data.text.max_text_len must be >= {shortest} {room} (got {max_text_len})"])

    def __call__(self, caption: str) -> dict[str, torch.Tensor]:
        """`input_ids` and `labels` of a caption, each int64 `[max_text_len]`."""
        prompted, text = len(self._prompt), [*self._prompt, *self._encode(caption)]
        if self.labels == "reference":
            targets = [IGNORED] * prompted + text[prompted:]
        else:
            end = self.tokenizer.eos_token_id
            targets = [*text[1:], IGNORED if end is None or not text else end]
            targets[: max(0, prompted - 1)] = [IGNORED] * max(0, prompted - 1)
        return {"input_ids": self._fixed(text, self.pad_id), "labels": self._fixed(targets, IGNORED)}

    def untrained(self, caption: str) -> dict[str, torch.Tensor]:
        """As a call, with no position to train on: for a sample whose frames are missing."""
        tokens = self(caption)
        return tokens | {"labels": torch.full_like(tokens["labels"], IGNORED)}

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False)) if text else []

    def _fixed(self, values: list[int], padding: int) -> torch.Tensor:
        kept = values[: self.max_text_len]
        return torch.tensor(kept + [padding] * (self.max_text_len - len(kept)), dtype=torch.int64)


def pad_id_of(tokenizer: Any) -> int:
    """The token that fills up a text: the padding token, else the end-of-text token, else 0."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def load_tokenizer(path: str) -> Any:
    """A transformers tokenizer, from a folder or by name.

    Raises:
        UserError: If transformers is not installed, or there is no such tokenizer.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise UserError(
            f"data.text.tokenizer_path={path} needs transformers: pip install 'vjepa_pipe[text]' ({error})"
        ) from error
    try:
        return AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"data.text.tokenizer_path={path} cannot be loaded: {reason}") from error
