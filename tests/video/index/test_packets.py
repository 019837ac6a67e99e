"""From packet times to frame numbers, and which packets a reader decodes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vjepa_pipe.video.index.packets import Packet, PacketIndex, Run, index_counted, index_of


def index(stored: str, shown: list[int]) -> PacketIndex:
    """An index of packets whose kinds are spelled in stored order: `I` key, `i` key that is hidden, `p`, `h` hidden."""
    return index_of(
        [
            Packet(pts=time, dts=None, duration=1, place=100 * n, key=kind in "Ii", alone=True, shown=kind in "Ip")
            for n, (kind, time) in enumerate(zip(stored, shown, strict=True))
        ],
        fps=25.0,
    )


def test_frames_are_numbered_in_the_order_of_showing() -> None:
    found = index("IpppIppp", [10, 40, 20, 30, 50, 80, 60, 70])
    assert found.packet_of.tolist() == [0, 2, 3, 1, 4, 6, 7, 5]
    assert found.frame_of.tolist() == [0, 3, 1, 2, 4, 7, 5, 6]
    assert (found.key_packets.tolist(), found.key_frames.tolist()) == ([0, 4], [0, 4])
    assert found.num_frames == 8 and found.plain


def test_open_group_keeps_the_frames_before_its_key_with_the_key_before() -> None:
    found = index("IppIpp", [0, 1, 2, 5, 3, 4])  # the last two are shown before the second key frame, and need both
    assert found.key_frames.tolist() == [0, 5] and not found.plain
    assert list(found.runs([3])) == [Run(0, 4, [3])]
    assert list(found.runs([5])) == [Run(3, 3, [5])]
    assert list(found.runs([3, 5])) == [Run(0, 4, [3, 5])]


def test_a_frame_stored_before_its_key_is_decoded_from_the_key_before() -> None:
    found = index("IppIpp", [0, 1, 9, 3, 4, 5])  # one wrong time: the third packet is shown last
    assert found.packet_of.tolist() == [0, 1, 3, 4, 5, 2]
    assert list(found.runs([5])) == [Run(0, 2, [5])]
    assert list(found.runs([3, 5])) == [Run(3, 4, [3]), Run(0, 2, [5])]


def test_of_the_marked_keys_only_proven_ones_are_started_at() -> None:
    def packet(n: int, alone: bool) -> Packet:
        return Packet(pts=n, dts=n, duration=1, place=n, key=True, alone=alone, shown=True)

    some = index_of([packet(n, n in (3, 5)) for n in range(8)], 25.0)
    assert some.key_packets.tolist() == [0, 3, 5] and not some.keys_alone
    assert index_of([packet(n, False) for n in range(8)], 25.0).key_packets.tolist() == [0]
    assert index_of([packet(n, True) for n in range(3)], 25.0).keys_alone


def test_hidden_packets_become_no_frame() -> None:
    found = index("IhpIp", [0, 0, 1, 2, 3])
    assert found.frame_of.tolist() == [0, -1, 1, 2, 3] and found.key_frames.tolist() == [0, 2] and not found.plain
    assert index("ipIp", [-2, -1, 0, 1]).packet_of.tolist() == [1, 2, 3]
    assert index("hh", [0, 1]).num_frames == 0


def test_recording_that_begins_between_key_frames_begins_at_the_first() -> None:
    found = index("ppIpp", [0, 1, 3, 2, 4])
    assert found.packet_of.tolist() == [2, 4] and found.key_frames.tolist() == [0]
    assert index("ppp", [0, 1, 2]).num_frames == 3  # no key frame is marked: the first must do


def test_counted_frames_are_read_from_the_start() -> None:
    found = index_counted(num_packets=10, num_frames=9, fps=25.0)
    assert found.num_frames == 9 and not found.timed and not found.plain
    assert list(found.runs([2, 8])) == [Run(0, 8, [2, 8])]


def test_a_place_used_twice_names_no_packet() -> None:
    packets = [Packet(pts=n, dts=n, duration=1, place=min(n, 2), key=True, alone=True, shown=True) for n in range(4)]
    apart = index_of(packets[:3], 25.0)
    assert [apart.packet_at(place) for place in (None, -1, 0, 1, 2, 3)] == [None, None, 0, 1, 2, None]
    assert index_of(packets, 25.0).packet_at(0) is None


@st.composite
def videos(draw: st.DrawFn) -> PacketIndex:
    """Groups of pictures, closed and open, each stored as key, then anchors with the pictures between them."""
    kinds, times, clock = "", [], 0
    for _ in range(draw(st.integers(1, 6))):
        leading = draw(st.integers(0, 3)) if kinds else 0
        following = draw(st.integers(0, 6))
        order = draw(st.permutations(range(following)))
        kinds += "I" + "p" * (leading + following)
        times += [clock + leading, *range(clock, clock + leading), *(clock + leading + 1 + n for n in order)]
        clock += leading + 1 + following
    return index(kinds, times)


@given(videos(), st.data())
def test_runs_reach_every_wanted_frame_once(found: PacketIndex, data: st.DataObject) -> None:
    wanted = sorted(data.draw(st.sets(st.integers(0, found.num_frames - 1), min_size=1)))
    runs = list(found.runs(wanted))
    assert [frame for run in runs for frame in run.frames] == wanted
    for run in runs:
        assert run.first in found.key_packets
        assert found.key_frames[found.key_packets.tolist().index(run.first)] <= run.frames[0]
        assert all(run.first <= found.packet_of[frame] <= run.last for frame in run.frames)
    assert all(before.last + 1 < after.first for before, after in pairwise(runs))


@given(videos())
def test_numbering_is_one_to_one(found: PacketIndex) -> None:
    assert np.array_equal(found.frame_of[found.packet_of], np.arange(found.num_frames))
    assert np.all(np.diff(found.key_frames) > 0) and found.key_frames[0] == 0


@pytest.mark.parametrize("frames", [[], [0]])
def test_runs_of_little(frames: list[int]) -> None:
    assert list(index("Ip", [0, 1]).runs(frames)) == [Run(0, 0, [frame]) for frame in frames]
