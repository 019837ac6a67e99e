"""Clips at URLs that are asked for before they are read, within a bounded amount of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from vjepa_pipe.sampling import SampleKey
from vjepa_pipe.storage import REQUESTS_AT_ONCE, RangesRead
from vjepa_pipe.video import RangeReader

FIRST_AT_ONCE = 8
"""Clips that are asked for together, before it is known how fast they come."""


class PlannedClip(NamedTuple):
    """A clip of which it is known what it will ask for.

    Attributes:
        key: The first of its keys, with the row that it is of.
        video: Opened, and unread.
        ranges: What will be asked for.
    """

    key: SampleKey
    video: RangeReader
    ranges: RangesRead

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self.ranges.size + self.video.index_bytes


class PlannedClips:
    """Asks for the clips that come next, in their order, as far as memory allows; one that is read makes room.

    Requests that share a slow line take long together, and one that takes too long fails. So few are under way at
    first, one more with each clip that came soon, and half as many after one that did not.

    A clip that is larger than all memory is asked for when it is read, and so is one that cannot be planned: what is
    wrong with it is said then.

    Args:
        plan: Works out what keys that are read together will ask for; None if that takes a request.
        most_bytes: Memory for clips that were asked for and not read, the one that is being read among them.
        soon_sec: Longest time of a request that came soon.
    """

    def __init__(
        self, plan: Callable[[Sequence[SampleKey]], PlannedClip | None], most_bytes: int, soon_sec: float
    ) -> None:
        self._plan, self._most, self._soon = plan, most_bytes, soon_sec
        self._at_once = FIRST_AT_ONCE
        self._coming: dict[SampleKey, Sequence[SampleKey]] = {}  # by place; not asked for yet
        self._next: PlannedClip | None = None  # the first of them, if there was no room for it
        self._asked: dict[SampleKey, PlannedClip] = {}  # by place
        self._unplanned: set[SampleKey] = set()  # places of those that are asked for when they are read
        self._reading: PlannedClip | None = None
        self._left: list[PlannedClip] = []  # whose answers are still to come

    def expect(self, groups: Iterable[Sequence[SampleKey]]) -> None:
        """Plan for these keys from now on.

        Args:
            groups: Keys that are read together, in the order in which they will be.
        """
        self._coming = {_place(keys[0]): keys for keys in groups}
        self._next = self._reading = None
        for place in self._asked.keys() - self._coming.keys():
            self._leave(self._asked.pop(place))
        self._unplanned &= self._coming.keys()
        for place in (*self._asked, *self._unplanned):
            del self._coming[place]
        self._ask()

    def take(self, key: SampleKey) -> RangeReader | None:
        """The video of a key, which is read now; None if its clip was not planned.

        Args:
            key: The first of those that are read together.
        """
        place = _place(key)
        if self._reading is not None:
            soon = self._reading.ranges.seconds <= self._soon
            self._at_once = min(self._at_once + 1, REQUESTS_AT_ONCE) if soon else max(self._at_once // 2, 1)
        self._reading = self._asked.pop(place, None)
        if self._coming.pop(place, None) is not None:
            self._reading, self._next = self._next, None
        if self._reading is not None and self._reading.key != key:  # its row has come to be known as bad
            self._leave(self._reading)
            self._reading = None
        self._ask()
        return None if self._reading is None else self._reading.video

    def _ask(self) -> None:
        while self._coming and self._under_way() < self._at_once:
            place = next(iter(self._coming))
            clip = self._next or self._planned(self._coming[place])
            self._next = None
            if clip is not None and clip.size <= self._most:
                if self._held() + clip.size > self._most:
                    self._next = clip
                    return
                clip.ranges.ask()
                self._asked[place] = clip
            else:
                self._unplanned.add(place)
            del self._coming[place]

    def _planned(self, keys: Sequence[SampleKey]) -> PlannedClip | None:
        try:
            return self._plan(keys)
        except Exception:  # it is met again, and said, when the clip is read
            return None

    def _under_way(self) -> int:
        self._left = [clip for clip in self._left if clip.ranges.under_way]
        return len(self._left) + sum(clip.ranges.under_way for clip in self._asked.values())

    def _held(self) -> int:
        reading = [] if self._reading is None else [self._reading]
        return sum(clip.size for clip in (*self._asked.values(), *self._left, *reading))

    def _leave(self, clip: PlannedClip) -> None:
        clip.video.close()
        self._left.append(clip)


def _place(key: SampleKey) -> SampleKey:
    """What tells samples of a run apart, whichever row they are read from."""
    return key._replace(row=0)
