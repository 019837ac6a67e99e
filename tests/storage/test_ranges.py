"""Several ranges of an object in as few requests as pays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vjepa_pipe.storage import Answer, Facts, RangesRead, StorageError, ranges
from vjepa_pipe.storage.ranges import ENOUGH, FIRST_GAP, LEAST_GAP, MOST_GAP, RequestCost

FACTS = Facts(10_000_000, '"1"')
CONTENT = np.random.default_rng(0).integers(0, 256, FACTS.size, np.uint8).tobytes()


class Store:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def read(self, url: str, start: int, end: int, known: Facts) -> Answer:
        self.asked.append((start, end))
        return Answer(CONTENT[start:end], known)


@pytest.mark.parametrize(("wanted", "asked"), [
    ([(5, 10)], [(5, 15)]),
    ([(5, 10), (15, 1), (30, 2)], [(5, 32)]),
    ([(FIRST_GAP + 10, 5), (0, 10)], [(0, FIRST_GAP + 15)]),  # a gap of just what a request costs
    ([(0, 10), (FIRST_GAP + 11, 5)], [(0, 10), (FIRST_GAP + 11, FIRST_GAP + 16)]),
    ([(0, 100), (20, 10), (FIRST_GAP + 50, 5)], [(0, FIRST_GAP + 55)]),  # the second lies in the first
])  # fmt: skip
def test_what_is_asked_for(wanted: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    store = Store()
    read = RangesRead(store.read, "s3://never-timed/a", np.array(wanted), FACTS)
    assert read.size == sum(end - start for start, end in asked) and not store.asked
    assert read.result() == [CONTENT[start : start + size] for start, size in wanted]
    assert store.asked == asked


def test_no_request_is_larger_than_a_slow_store_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "LARGEST", 1000)
    store = Store()
    read = RangesRead(store.read, "s3://slow/a", np.array([(7, 5), (20, 2100)]), FACTS)
    assert read.result()[1] == CONTENT[20:2120]
    assert store.asked == [(7, 1007), (1007, 2007), (2007, 2120)]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as running:
        yield running


APART = np.array([(0, 10), (FIRST_GAP + 11, 5)])


def test_ranges_that_lie_apart_are_asked_for_at_once(threads: ThreadPoolExecutor) -> None:
    store, both = Store(), threading.Barrier(2, timeout=10)

    def read(*arguments: object) -> Answer:
        both.wait()  # for the other request
        return store.read(*arguments)  # type: ignore[arg-type]

    found = RangesRead(read, "s3://apart/a", APART, FACTS, threads).result()
    assert [len(data) for data in found] == [10, 5]


def test_what_was_asked_for_ahead_is_asked_for_once(threads: ThreadPoolExecutor) -> None:
    store = Store()
    read = RangesRead(store.read, "s3://once/a", APART, FACTS, threads)
    read.ask()
    assert [len(data) for data in read.result()] == [10, 5] and len(store.asked) == 2


def test_an_answer_that_failed_is_asked_for_again(threads: ThreadPoolExecutor) -> None:
    store, faults = Store(), [StorageError("gone"), None, StorageError("gone for good")]

    def read(*arguments: object) -> Answer:
        if fault := faults.pop(0):
            raise fault
        return store.read(*arguments)  # type: ignore[arg-type]

    wanted = np.array([(5, 10)])
    again = RangesRead(read, "s3://again/a", wanted, FACTS, threads)
    again.ask()
    threads.submit(int).result(10)  # which waits for a thread
    while again.under_way:
        pass
    assert again.result() == [CONTENT[5:15]]
    with pytest.raises(StorageError, match="gone for good"):
        RangesRead(read, "s3://again/a", wanted, FACTS, threads).result()


def test_requests_that_are_cancelled_are_not_sent(threads: ThreadPoolExecutor) -> None:
    store, go = Store(), threading.Event()
    held = [threads.submit(go.wait, 10) for _ in range(2)]
    ahead, due = (RangesRead(store.read, "s3://left/a", np.array([(at, 5)]), FACTS, threads) for at in (0, 100))
    ahead.ask()
    due.ask()
    ahead.cancel()
    assert due.result() == [CONTENT[100:105]]  # needed before a thread is free
    go.set()
    assert all(one.result() for one in held) and not ahead.under_way
    threads.submit(int).result(10)
    assert store.asked == [(100, 105)]


@pytest.mark.parametrize(("latency", "bandwidth", "gap"), [
    (0.03, 50e6, 1_500_000), (0.1, 5e6, 500_000), (1e-4, 1e6, LEAST_GAP), (1.0, 1e9, MOST_GAP), (0.0, 1e6, LEAST_GAP),
])  # fmt: skip
def test_the_gap_is_latency_times_bandwidth(latency: float, bandwidth: float, gap: int) -> None:
    cost, rng = RequestCost(), np.random.default_rng(0)
    for seen in range(60):
        if seen < ENOUGH:
            assert cost.gap == FIRST_GAP
        size = int(rng.integers(10_000, 2_000_000))
        cost.add(size, latency + size / bandwidth)
    assert cost.gap == pytest.approx(gap, rel=0.01)


def test_times_that_say_nothing() -> None:
    cost = RequestCost()
    for _ in range(20):
        cost.add(1000, 0.1)  # of one size: nothing tells a byte's time
    assert cost.gap == FIRST_GAP
