"""Several sources counted as one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate


class ConcatIndices:
    """From an index over all sources, laid end to end, to a source and a row in it.

    `ConcatIndices([3, 0, 2])[3]` is `(2, 0)`: indices 0 to 2 are source 0, source 1 is empty, and
    indices 3 and 4 are source 2.

    Args:
        sizes: Rows in each source.

    Raises:
        ValueError: There is no source, or a size is negative.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        if len(sizes) == 0:
            raise ValueError("sizes must name at least one source (got none)")
        for source, size in enumerate(sizes):
            if size < 0:
                raise ValueError(f"sizes[{source}] must be >= 0 (got {size})")
        self._starts = list(accumulate((int(size) for size in sizes), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> tuple[int, int]:
        """The `(source, row)` of an index.

        Raises:
            ValueError: `index` is not from 0 to len - 1; negative indices do not count from the end.
        """
        if not 0 <= index < len(self):
            raise ValueError(f"index must be from 0 to {len(self) - 1} (got {index})")
        source = bisect_right(self._starts, index) - 1
        return source, int(index) - self._starts[source]

    def index(self, source: int, row: int) -> int:
        """The index of a row, the inverse of `self[index]`."""
        return self._starts[source] + row
