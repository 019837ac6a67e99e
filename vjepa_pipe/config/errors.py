"""The errors a user can mend: their text is the message, without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

LONGEST = 1000
"""Characters of one message about a config."""


class UserError(Exception):
    """Something outside the program is wrong: a setting, a file. Printed as one message."""


class SampleError(UserError):
    """One sample cannot be read: `loader.on_bad_sample` says whether another takes its place."""


class ConfigError(UserError, ValueError):
    """Everything that is wrong with an experiment's configuration, at once.

    Attributes:
        faults: One line each, naming `section.field`, the bound and the value.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(dict.fromkeys(map(one_line, faults)))
        super().__init__(self.faults)

    def __str__(self) -> str:
        if len(self.faults) == 1:
            return f"config error: {self.faults[0]}"
        return "\n".join([f"{len(self.faults)} config errors:", *(f"  - {fault}" for fault in self.faults)])


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number of things: `1 frame`, `2 frames`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def one_line(text: str) -> str:
    """Text that quotes what anyone may have written: on one line, without control characters, its middle left out."""
    text = "".join(sign if sign.isprintable() else " " if sign.isspace() else ascii(sign)[1:-1] for sign in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} [...] {text[-LONGEST // 2 :]}"


def did_you_mean(word: str, known: Iterable[str], prefix: str = "", cutoff: float = 0.6) -> str:
    """A hint to append to a message about an unknown word; empty when nothing is close.

    Args:
        word: What was written.
        known: What could have been meant.
        prefix: Put before the name that is suggested.
        cutoff: How alike they must be, from 0 to 1.
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f" (did you mean {prefix}{close[0]}?)" if close else ""
