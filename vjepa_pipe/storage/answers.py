"""What stores answer."""

from __future__ import annotations

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


class Answer(NamedTuple):
    """Bytes of an object.

    Attributes:
        data: The bytes.
        facts: Of the whole object.
    """

    data: bytes
    facts: Facts


class Listed(NamedTuple):
    """An object below a prefix.

    Attributes:
        url: Its URL.
        size: In bytes.
    """

    url: str
    size: int
