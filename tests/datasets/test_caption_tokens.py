"""CaptionTokens: what is trained on, in both conventions, and lengths that leave nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from captioned import Letters, save_tokenizer

from vjepa_pipe import ConfigError
from vjepa_pipe.config import UserError
from vjepa_pipe.datasets.caption_tokens import CaptionTokens, load_tokenizer, pad_id_of

PAD, END, NO = 27, 28, -100


def lists(tokens: CaptionTokens, caption: str) -> tuple[list[int], list[int]]:
    found = tokens(caption)
    return found["input_ids"].tolist(), found["labels"].tolist()


@pytest.mark.parametrize(("prompt", "caption", "length", "ids", "labels"), [
    ("", "abc", 6, [1, 2, 3, PAD, PAD, PAD], [1, 2, 3, NO, NO, NO]),
    ("ab", "xyz", 5, [1, 2, 24, 25, 26], [NO, NO, 24, 25, 26]),
    ("ab", "xyz", 4, [1, 2, 24, 25], [NO, NO, 24, 25]),
    ("", "abcdefghij", 4, [1, 2, 3, 4], [1, 2, 3, 4]),
    ("ab", "", 4, [1, 2, PAD, PAD], [NO] * 4),
])  # fmt: skip
def test_reference_labels(prompt: str, caption: str, length: int, ids: list[int], labels: list[int]) -> None:
    assert lists(CaptionTokens(Letters(), length, prompt, "reference"), caption) == (ids, labels)


@pytest.mark.parametrize(("prompt", "caption", "length", "ids", "labels"), [
    ("", "abc", 5, [1, 2, 3, PAD, PAD], [2, 3, END, NO, NO]),
    ("ab", "xyz", 6, [1, 2, 24, 25, 26, PAD], [NO, 24, 25, 26, END, NO]),
    ("ab", "xyz", 4, [1, 2, 24, 25], [NO, 24, 25, 26]),
    ("ab", "", 4, [1, 2, PAD, PAD], [NO, END, NO, NO]),
    ("", "", 3, [PAD] * 3, [NO] * 3),
])  # fmt: skip
def test_next_token_labels(prompt: str, caption: str, length: int, ids: list[int], labels: list[int]) -> None:
    assert lists(CaptionTokens(Letters(), length, prompt), caption) == (ids, labels)


def test_untrained() -> None:
    found = CaptionTokens(Letters(), 4).untrained("abc")
    assert (found["input_ids"].tolist(), found["labels"].tolist()) == ([1, 2, 3, PAD], [NO] * 4)


@pytest.mark.parametrize(
    ("labels", "length", "shortest"), [("reference", 6, 7), ("next_token", 5, 6), ("next_token", 1, 6)]
)
def test_prompt_must_leave_room(labels: str, length: int, shortest: int) -> None:
    with pytest.raises(ConfigError) as error:
        CaptionTokens(Letters(), length, "prompt", labels)
    assert f"data.text.max_text_len must be >= {shortest} to train on a caption after the prompt's 6 tokens" in str(
        error.value
    )
    CaptionTokens(Letters(), shortest, "prompt", labels)


def test_padding_falls_back_to_the_end_and_then_to_zero() -> None:
    letters = Letters()
    letters.pad_token_id = None
    assert pad_id_of(letters) == END
    letters.eos_token_id = None
    assert pad_id_of(letters) == 0
    assert lists(CaptionTokens(letters, 4), "abc") == ([1, 2, 3, 0], [2, 3, NO, NO])


def test_a_real_tokenizer(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(save_tokenizer(tmp_path))
    tokens = CaptionTokens(tokenizer, 20, "Describe:")
    found = tokens("a cat")
    text = tokenizer.convert_tokens_to_string(tokenizer.convert_ids_to_tokens(found["input_ids"]))
    assert text.replace(" ", "").startswith("Describe:acat")
    assert found["labels"].tolist()[:8] == [NO] * 8
    assert found["labels"].tolist()[8:13] == found["input_ids"].tolist()[9:14]
    assert found["labels"].tolist()[13:] == [tokenizer.eos_token_id] + [NO] * 6


def test_no_tokenizer_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"data.text.tokenizer_path={tmp_path} cannot be loaded: "):
        load_tokenizer(str(tmp_path))
