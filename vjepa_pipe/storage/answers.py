"""What stores answer."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

PROBE = ".vjepa_pipe-asks-whether-anybody-answers"
"""Name of an object that no store holds: saying so is an answer."""


class Facts(NamedTuple):
    """What is known of an object without reading it.

    Attributes:
        size: In bytes.
        version: What tells its content from another: ETag, version or time of change; empty where nothing does.
    """

    size: int
    version: str

    @property
    def stamp(self) -> list[int]:
        """Two numbers that another content would not have: the size, and 63 bits of a hash of the version."""
        return [self.size, int.from_bytes(sha256(self.version.encode()).digest()[:8]) >> 1]


class Answer(NamedTuple):
    """Bytes of an object.

    Attributes:
        data: The bytes.
        facts: Of the whole object.
        at_hand: Some of the bytes were there already, so that the time says nothing of the store.
    """

    data: bytes
    facts: Facts
    at_hand: bool = False


class Listed(NamedTuple):
    """An object below a prefix.

    Attributes:
        url: Its URL.
        size: In bytes.
    """

    url: str
    size: int
