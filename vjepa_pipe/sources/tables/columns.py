"""Columns of a table of rows: text and integers held in a few flat arrays.

A list of 20 million `str` costs 20 million Python objects, and every process that touches one
gets its own copy of the memory around it. The same text as one run of bytes and one array of
offsets is two objects, and can be mapped from a file by all processes at once.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Bytes = NDArray[np.uint8]


def encode(text: str) -> bytes:
    """UTF-8; file names that are not valid text keep their bytes."""
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, eq=False)
class TextColumn:
    """Texts one after the other.

    Attributes:
        blob: UTF-8 bytes of all texts, uint8 `[bytes]`.
        offsets: Text `i` is `blob[offsets[i]:offsets[i + 1]]`, int64 `[texts + 1]`.
    """

    blob: Bytes
    offsets: Integers

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        piece = self.blob[self.offsets[index] : self.offsets[index + 1]]
        return piece.tobytes().decode("utf-8", "surrogateescape")

    def holding(self, part: str) -> Iterator[int]:
        """The numbers of the texts that hold a part, rising; it is looked for in all of them at once."""
        before = -1
        for found in re.finditer(re.escape(encode(part)), self.blob.data):
            text = int(np.searchsorted(self.offsets, found.start(), "right")) - 1
            if text != before and found.end() <= self.offsets[text + 1]:
                before = text
                yield text


@dataclass(frozen=True, eq=False)
class Table:
    """The two columns every source has.

    Attributes:
        paths: One path per row.
        labels: One label per row: int64 `[rows]`, or texts.

    Its arrays become read-only.
    """

    paths: TextColumn
    labels: Integers | TextColumn

    def __post_init__(self) -> None:
        for part in self.arrays().values():
            part.setflags(write=False)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The table as named arrays; `table_from_arrays` is the way back."""
        named: dict[str, NDArray[Any]] = {"paths": self.paths.blob, "path_offsets": self.paths.offsets}
        if isinstance(self.labels, TextColumn):
            return named | {"labels": self.labels.blob, "label_offsets": self.labels.offsets}
        return named | {"labels": self.labels}


def table_from_arrays(named: dict[str, NDArray[Any]]) -> Table:
    """The table whose `arrays()` these are."""
    labels = named["labels"]
    return Table(
        TextColumn(named["paths"], named["path_offsets"]),
        TextColumn(labels, named["label_offsets"]) if "label_offsets" in named else labels,
    )


def digest_of(named: Mapping[str, NDArray[Any]]) -> str:
    """A hash of arrays and their names."""
    digest = hashlib.blake2b(digest_size=8)
    for part, values in sorted(named.items()):
        digest.update(f"{part} {values.nbytes} ".encode())
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


class TextBuilder:
    """A text column that grows."""

    def __init__(self) -> None:
        self._blob = bytearray()
        self._offsets = array("q", [0])

    def append(self, text: str) -> None:
        """Add one text."""
        self._blob += encode(text)
        self._offsets.append(len(self._blob))

    def extend(self, blob: Bytes, lengths: Integers) -> None:
        """Add `len(lengths)` texts, given one after the other in `blob`; lengths are in bytes."""
        self._offsets.frombytes((len(self._blob) + np.cumsum(lengths, dtype=np.int64)).tobytes())
        self._blob += blob.data

    def build(self) -> TextColumn:
        """The finished column; the builder must not be used again."""
        return TextColumn(np.frombuffer(self._blob, np.uint8), np.frombuffer(self._offsets, np.int64))


def text_column(texts: Iterable[str]) -> TextColumn:
    """A column of these texts."""
    builder = TextBuilder()
    for text in texts:
        builder.append(text)
    return builder.build()
