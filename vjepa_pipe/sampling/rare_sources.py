"""Draws from sources that are expected less than once in an epoch: earliest deadline first."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush, nsmallest


class RareSources:
    """Counts draws of sources so that each has floor or ceil of its expected number at every epoch's end.

    Floors of prefix sums, which do for the others, could take a draw back here: of the shares .3, .1 and .6 the second
    would have 1 draw after three epochs and 0 after four. So draw k of a source with r expected per epoch may be made
    from epoch floor(k / r) on, and must be before epoch ceil((k + 1) / r); an epoch makes those that must come first.

    In epoch e all sources together make floor((e + 1) * R) - floor(e * R) draws, R the sum of their r. No draw is ever
    late: those that must lie between two epochs are floor(e' * r) - ceil(e * r) of each source, together no more than
    are made there.

    What was decided longer ago than the longest wait for a draw, 1 / r of the rarest source, no longer matters: by
    then each draw that was open has been made. So counting may start there, from any draws that fit, instead of at
    epoch 0.

    Args:
        shares: Draws expected in an epoch, each more than 0 and less than 1, in units of 1 / `whole`.
        whole: See `shares`.
    """

    def __init__(self, shares: Sequence[int], whole: int) -> None:
        self._shares = shares
        self._whole = whole
        self._total = sum(shares)
        # One source alone has nothing to decide.
        self._memory = whole // min(shares) + 2 if len(shares) > 1 else 0
        self._start_at(0)

    def before(self, epoch: int) -> list[int]:
        """Draws from each source in the epochs before `epoch`, from 0.

        The cost is that of the epochs passed: one after the last epoch asked for, or at most those of the longest wait.
        """
        oldest = max(0, epoch - self._memory)
        if not oldest <= self._epoch <= epoch:
            self._start_at(oldest)
        while self._epoch < epoch:
            self._advance()
        return list(self._drawn)

    def _start_at(self, epoch: int) -> None:
        self._epoch = epoch
        self._drawn = [epoch * share // self._whole for share in self._shares]
        half_way = [s for s, share in enumerate(self._shares) if epoch * share % self._whole]
        left = epoch * self._total // self._whole - sum(self._drawn)
        for _, source in nsmallest(left, ((self._deadline(s), s) for s in half_way)):
            self._drawn[source] += 1
        self._waiting = [(self._opening(s), s) for s in range(len(self._shares))]
        heapify(self._waiting)
        self._open: list[tuple[int, int]] = []

    def _advance(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._epoch:
            _, source = heappop(self._waiting)
            heappush(self._open, (self._deadline(source), source))
        made = self._epoch * self._total // self._whole
        for _ in range((self._epoch + 1) * self._total // self._whole - made):
            _, source = heappop(self._open)
            self._drawn[source] += 1
            if (opening := self._opening(source)) <= self._epoch:
                heappush(self._open, (self._deadline(source), source))
            else:
                heappush(self._waiting, (opening, source))
        self._epoch += 1

    def _opening(self, source: int) -> int:
        """First epoch that may make the source's next draw."""
        return self._drawn[source] * self._whole // self._shares[source]

    def _deadline(self, source: int) -> int:
        """First epoch that finds the source's next draw made."""
        return -(-(self._drawn[source] + 1) * self._whole // self._shares[source])
