"""Which clips are asked for ahead: in their order, as far as memory allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vjepa_pipe.datasets.planned import PlannedClip, PlannedClips
from vjepa_pipe.sampling import SampleKey


class Clip:
    """The video of a clip and its ranges, in one."""

    index_bytes = 1

    def __init__(self, log: list[str], number: int, size: int) -> None:
        self._log, self._number, self.size = log, number, size
        self.under_way, self.seconds = False, 0.1

    def ask(self) -> None:
        self._log.append(f"ask {self._number}")
        self.under_way = True

    def close(self) -> None:
        self._log.append(f"leave {self._number}")


def keys_of(*positions: int) -> list[list[SampleKey]]:
    return [[SampleKey(0, 0, position, 0, position)] for position in positions]


def planned(log: list[str], most: int, sizes: dict[int, int] | None = None) -> tuple[PlannedClips, dict[int, Clip]]:
    """Clips of 10 bytes, with their table, unless said otherwise; 0 cannot be planned, and -1 is an error."""
    clips: dict[int, Clip] = {}

    def plan(keys: Sequence[SampleKey]) -> PlannedClip | None:
        number = keys[0].position
        size = (sizes or {}).get(number, 10)
        log.append(f"plan {number}")
        if size <= 0:
            assert size == 0
            return None
        clip: Any = clips.setdefault(number, Clip(log, number, size - 1))
        return PlannedClip(keys[0], clip, clip)

    return PlannedClips(plan, most, 1.0), clips


def test_each_is_asked_for_once_and_one_that_is_read_makes_room_for_the_next() -> None:
    log: list[str] = []
    plans, clips = planned(log, 35)
    keys = keys_of(1, 2, 3, 4, 5)
    plans.expect(keys[:4])
    assert log == ["plan 1", "ask 1", "plan 2", "ask 2", "plan 3", "ask 3", "plan 4"]
    log.clear()
    assert plans.take(keys[0][0]) is clips[1] and log == []  # its bytes are still held
    assert plans.take(keys[1][0]) is clips[2] and log == ["ask 4"]
    log.clear()
    plans.expect(keys[2:])
    assert log == ["plan 5", "ask 5"]
    assert [plans.take(key) for (key,) in keys[2:]] == [clips[3], clips[4], clips[5]]


def test_what_cannot_be_planned_is_left_out() -> None:
    log: list[str] = []
    plans, _ = planned(log, 35, {1: 0, 2: 36, 3: -1})
    plans.expect(keys_of(1, 2, 3, 4))
    plans.expect(keys_of(1, 2, 3, 4))
    assert log == ["plan 1", "plan 2", "plan 3", "plan 4", "ask 4"]  # each is looked at once
    assert [plans.take(key) for (key,) in keys_of(1, 2, 3)] == [None, None, None]


def test_one_that_is_read_before_there_was_room_is_not_planned_twice() -> None:
    log: list[str] = []
    plans, clips = planned(log, 15)
    plans.expect(keys_of(1, 2, 3))
    plans.take(keys_of(1)[0][0])
    assert plans.take(keys_of(2)[0][0]) is clips[2]
    assert log == ["plan 1", "ask 1", "plan 2", "plan 3"]


def test_what_is_not_wanted_any_more_is_left_and_counts_until_it_has_come() -> None:
    log: list[str] = []
    plans, clips = planned(log, 25)
    plans.expect(keys_of(1, 2))
    log.clear()
    plans.expect(keys_of(2, 3, 4))
    assert log == ["leave 1", "plan 3"]
    clips[1].under_way = False
    plans.expect(keys_of(2, 3, 4))
    assert log[2:] == ["plan 3", "ask 3", "plan 4"]
    log.clear()
    plans.expect([])
    assert sorted(log) == ["leave 2", "leave 3"] and plans.take(keys_of(2)[0][0]) is None


def test_another_row_stands_in_for_one_that_has_come_to_be_bad() -> None:
    log: list[str] = []
    plans, _ = planned(log, 25)
    plans.expect(keys_of(1))
    assert plans.take(keys_of(1)[0][0]._replace(row=7)) is None and log[-1] == "leave 1"


def test_requests_that_take_long_are_fewer_at_once() -> None:
    log: list[str] = []
    plans, clips = planned(log, 10_000)
    (*keys,) = (key for (key,) in keys_of(*range(1, 200)))
    plans.expect([[key] for key in keys])
    counts = []
    for key, seconds in zip(keys, [0.1] * 20 + [2.0] * 8 + [0.1] * 3, strict=False):
        plans.take(key)
        clips[key.position].under_way, clips[key.position].seconds = False, seconds
        counts.append(sum(clip.under_way for clip in clips.values()))
    assert counts[:3] == [8, 9, 10] and counts[20] == 16 == max(counts) and counts[27] == 9
    for clip in clips.values():
        clip.under_way = False
    plans.take(keys[31])
    assert sum(clip.under_way for clip in clips.values()) == 4
