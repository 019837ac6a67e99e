"""JSON of which nothing is believed."""

from __future__ import annotations

import json
from typing import Any

MAX_DIGITS = 100
"""Of a whole number, so that every one that is read fits a float."""


def parse_json(content: bytes | str) -> Any:
    """The value that some JSON says.

    Raises:
        ValueError: If it is not UTF-8, not JSON, nested too deeply, or holds whole numbers of absurd size.
    """
    try:
        return json.loads(content if isinstance(content, str) else content.decode("utf-8"), parse_int=_whole_number)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error


def _whole_number(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a whole number has {len(text)} digits")
    return int(text)
