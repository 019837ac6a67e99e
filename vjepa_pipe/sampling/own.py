"""OwnOrder: a sampler of the user's own, whose answers are checked."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.sampling.concat import ConcatIndices
from vjepa_pipe.sampling.key import SampleKey


class OwnOrder:
    """The order of a sampler that has `at(position)`, for positions from 0 over all epochs.

    It gives a row number over all sources, laid end to end, or a whole `SampleKey`. It must depend on the position
    alone, since every worker and rank asks by itself.

    Args:
        sampler: The object with `at`.
        sizes: Rows in each source.
        epoch_size: Samples in an epoch over all ranks.
        seed: The experiment's; part of the keys that are made of row numbers.

    Raises:
        UserError: As `at`.
    """

    def __init__(self, sampler: Any, sizes: Sequence[int], epoch_size: int, seed: int) -> None:
        self.sampler = sampler
        self._rows = ConcatIndices(sizes)
        self._sizes = sizes
        self._epoch_size = epoch_size
        self._seed = seed
        self.at(0)  # what is wrong with it is found before anything is read

    def at(self, position: int) -> SampleKey:
        """The key at a global position, counted from the start of the run.

        Raises:
            UserError: If the sampler gives what is no row.
        """
        given = self.sampler.at(position)
        if isinstance(given, SampleKey):
            if 0 <= given.source < len(self._sizes) and 0 <= given.row < self._sizes[given.source]:
                return given
            raise self._fault(position, given)
        try:
            source, row = self._rows[operator.index(given)]
        except (TypeError, ValueError):
            raise self._fault(position, given) from None
        return SampleKey(self._seed, position // self._epoch_size, position, source, row)

    def positions(self, source: int, row: int, epoch: int) -> list[int]:
        """Where a row stands in an epoch, rising: the sampler is asked for each of its positions.

        Raises:
            UserError: As `at`.
        """
        places = range(epoch * self._epoch_size, (epoch + 1) * self._epoch_size)
        return [place for place in places if self.at(place)[3:] == (source, row)]

    def _fault(self, position: int, given: Any) -> UserError:
        return UserError(
            f"{type(self.sampler).__qualname__}.at({position}) gave {given!r}: it must be a row number from 0 to "
            f"{len(self._rows) - 1}, or the SampleKey of a row"
        )
