"""Fair turns: whole units for fractional shares, slot by slot, never a unit ahead or behind."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


class PfairSchedule:
    """Serves tasks so that each is always within one unit of its share.

    Task k is due `shares[k] / whole` of a unit in every slot and gets either one unit or none. After
    t slots it holds floor or ceil of `t * shares[k] / whole` units, and every slot serves exactly
    `sum(shares) / whole` tasks. This is Pfair scheduling (Baruah, Cohen, Plaxton and Varvel,
    "Proportionate progress", 1996) by the PD2 priorities (Srinivasan and Anderson, "Optimal
    rate-based scheduling on multiprocessors", 2002), which are proved to keep both promises.

    Worked example, a share of 3/8 (`shares=[3, ...]`, `whole=8`): the first unit must come in slot
    0, 1 or 2, the second in 2 to 5, the third in 5 to 7. Slots 2 and 5 lie in two windows.

    Args:
        shares: One integer per task, from 0 to whole - 1. They sum to a multiple of `whole`.
        whole: What makes a unit, at least 1.

    Attributes:
        slot: Slots served so far.
        served: Units each task has had so far.
    """

    def __init__(self, shares: Sequence[int], whole: int) -> None:
        self._shares = tuple(shares)
        self._whole = whole
        self._tasks_per_slot = sum(self._shares) // whole
        self.slot = 0
        self.served = [0] * len(self._shares)
        # Tasks that may be served now, most urgent first; and the others, by the slot that frees them.
        self._ready: list[tuple[int, bool, int, int]] = []
        self._waiting: dict[int, list[int]] = {0: [task for task, share in enumerate(self._shares) if share]}

    def advance(self) -> None:
        """Serve one slot."""
        for task in self._waiting.pop(self.slot, ()):
            heapq.heappush(self._ready, self._urgency(task))
        for task in [heapq.heappop(self._ready)[-1] for _ in range(self._tasks_per_slot)]:
            self.served[task] += 1
            window_opens = self.served[task] * self._whole // self._shares[task]
            self._waiting.setdefault(max(window_opens, self.slot + 1), []).append(task)
        self.slot += 1

    def _urgency(self, task: int) -> tuple[int, bool, int, int]:
        """PD2 priority of a task's next unit; smaller is served first.

        First the earlier deadline. Then the unit whose window shares a slot with the task's next
        one, since serving it late takes a slot from that one. Then, among such units of tasks with
        a share of one half or more, the one whose delay would push on the longest chain of units:
        the chain ends at the group deadline. The task number breaks what is left.
        """
        share, unit = self._shares[task], self.served[task] + 1
        deadline = _ceil_div(unit * self._whole, share)
        overlaps_next = unit * self._whole % share != 0
        is_heavy = 2 * share >= self._whole
        group_deadline = _ceil_div((deadline - unit) * self._whole, self._whole - share) if is_heavy else 0
        return deadline, not overlaps_next, -group_deadline, task


def _ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
