"""What an index says of a source as a whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.probed.index_file import Column, fault, import_parquet, open_index, printable

_BATCH = 1 << 16  # files looked at together, so that an index of any size fits into memory
_NUMBERS = (Column.FRAMES, Column.FPS, Column.DURATION, Column.WIDTH, Column.HEIGHT, Column.BYTES, Column.ROTATION)


@dataclass
class IndexFacts:
    """Counts over the files of one source; all but `files`, `bad` and `faults` are of those that can be read.

    Attributes:
        name: Of the source.
        files: Different files.
        bad: Those that cannot be read.
        bytes: Size of all files.
        turned: Files that a player turns.
        codecs: How often each.
        sizes: How often each width and height, in pixels.
        rates: How often each rate, in frames per second to two places.
        distances: How often each number of frames from one key frame to the next, or to the end.
        durations: Length of each file, in seconds; float64 `[files - bad]`.
        faults: How often each.
    """

    name: str
    files: int = 0
    bad: int = 0
    bytes: int = 0
    turned: int = 0
    codecs: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    rates: Counter[float] = field(default_factory=Counter)
    distances: Counter[int] = field(default_factory=Counter)
    durations: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def hours(self) -> float:
        """Length of all files."""
        return float(self.durations.sum()) / 3600

    @property
    def short_sides(self) -> Counter[int]:
        """How often each, in pixels."""
        found: Counter[int] = Counter()
        for size, count in self.sizes.items():
            found[min(size)] += count
        return found

    def add(self, batch: Any) -> None:
        """Count the files of a `pyarrow.RecordBatch`."""
        self.files += len(batch)
        wrong = batch.column(Column.ERROR.value).is_valid()
        self._add_faults(batch.filter(wrong))
        good = batch.filter(wrong.to_numpy(zero_copy_only=False) == 0)
        found = {column: good.column(column.value).to_numpy(zero_copy_only=False) for column in _NUMBERS}
        self.bytes += int(found[Column.BYTES].sum())
        self.turned += int(np.count_nonzero(found[Column.ROTATION] % 360))
        self.codecs.update(good.column(Column.CODEC.value).to_pylist())
        self.sizes.update(zip(found[Column.WIDTH].tolist(), found[Column.HEIGHT].tolist(), strict=True))
        self.rates.update(found[Column.FPS].round(2).tolist())
        self.durations = np.concatenate([self.durations, found[Column.DURATION]])
        self.distances.update(_distances(good.column(Column.KEY_FRAMES.value), found[Column.FRAMES]).tolist())

    def _add_faults(self, bad: Any) -> None:
        self.bad += len(bad)
        paths = bad.column(Column.PATH.value).cast(import_parquet().binary()).to_pylist()
        for path, error in zip(paths, bad.column(Column.ERROR.value).to_pylist(), strict=True):
            self.faults[fault(printable(path.decode("utf-8", "surrogateescape")), error)] += 1


def _distances(keys: Any, frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frames from each key frame to the next one of its file, or to the file's end."""
    lengths = keys.value_lengths().to_numpy(zero_copy_only=False)
    numbers = keys.flatten().to_numpy(zero_copy_only=False)
    following = np.append(numbers[1:], 0)
    following[np.cumsum(lengths)[lengths > 0] - 1] = frames[lengths > 0]
    distances: NDArray[np.int64] = following - numbers
    return distances


def index_facts(file: Path) -> IndexFacts:
    """Read what an index says.

    Raises:
        SourceError: It cannot be read, or is no index.
        UserError: pyarrow is missing.
    """
    facts = IndexFacts(file.stem)
    with open_index(file) as opened:
        try:
            for batch in opened.iter_batches(_BATCH):
                facts.add(batch)
        except (OSError, ValueError, TypeError, import_parquet().ArrowException) as error:
            raise SourceError(file, f"is damaged, or no index of videos ({' '.join(str(error).split())})") from error
    return facts


def middle(counts: Counter[Any]) -> float:
    """The median of counted numbers."""
    values, times = (np.array(part) for part in zip(*sorted(counts.items()), strict=True))
    ends = np.cumsum(times)
    last = ends[-1] - 1
    return float(values[np.searchsorted(ends, [last // 2, last - last // 2], side="right")].mean())
