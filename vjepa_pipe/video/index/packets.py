"""Which frame each compressed packet of a file becomes: arithmetic on packet times, no file.

A file stores packets in the order a decoder needs them, which is not the order frames are shown in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Packet(NamedTuple):
    """What the walk keeps of a packet; times are in the stream's time base.

    Attributes:
        pts: When its frame is shown, None if the file does not say.
        dts: When it is decoded, None if the file does not say.
        duration: How long its frame is shown, 0 if unknown.
        place: Byte at which it is stored in the file, -1 if unknown.
        key: Decoding can start here.
        alone: Decoding that starts here gives whole pictures at once.
        shown: Its frame is shown; false for frames that an edit list cuts away, and for VP8's hidden references.
        extent: First byte and size of its data, if they are stored in one piece and that was looked into.
    """

    pts: int | None
    dts: int | None
    duration: int
    place: int
    key: bool
    alone: bool
    shown: bool
    extent: tuple[int, int] | None = None


class Run(NamedTuple):
    """A stretch of packets, both ends included, and the wanted frames that decoding it gives."""

    first: int
    last: int
    frames: list[int]


@dataclass(frozen=True)
class PacketIndex:
    """The packets of a video stream, in stored order, and the frames they become.

    Attributes:
        packet_of: Packet that holds each frame, in the order of showing; int64 [frames].
        frame_of: Frame that each packet becomes, -1 for one that is never shown; int64 [packets].
        key_packets: Packets at which decoding can start: those marked so that are proven, or all where they have not
            been looked into, and the first packet of all if the first mark is not proven; int64 [keys].
        key_frames: First frame that can be decoded from each of them; int64 [keys], rising.
        times: When each packet's frame is shown, but for a constant; in the stream's time base, int64 [packets].
        seek_times: Where to seek for each packet, in the stream's time base; int64 [packets].
        places: Byte at which each packet is stored in the file, -1 if unknown; int64 [packets].
        keys_alone: Decoding that starts at any packet marked as key gives whole pictures at once.
        timed: False for a file without usable times of showing: its frames can only be counted from the start.
        frame_times: When each frame is shown, in seconds; float64 [frames]. By the average rate where not timed.
        fps: Average frames per second.
        extents: First byte and size of each packet's data; int64 [packets, 2]. None where that was not looked into, or
            some packet is not stored in one piece.
    """

    packet_of: NDArray[np.int64]
    frame_of: NDArray[np.int64]
    key_packets: NDArray[np.int64]
    key_frames: NDArray[np.int64]
    times: NDArray[np.int64]
    seek_times: NDArray[np.int64]
    places: NDArray[np.int64]
    keys_alone: bool
    timed: bool
    frame_times: NDArray[np.float64]
    fps: float
    extents: NDArray[np.int64] | None = None

    @property
    def num_frames(self) -> int:
        """Frames that are shown."""
        return len(self.packet_of)

    @property
    def plain(self) -> bool:
        """Every packet is shown, key frames are stored in the place they are shown in, and stand alone."""
        in_place = self.num_frames == len(self.frame_of) and np.array_equal(self.key_frames, self.key_packets)
        return in_place and self.keys_alone

    def packet_at(self, place: int | None) -> int | None:
        """The packet stored at a byte of the file; None if there is none, or places do not tell packets apart.

        After a seek it tells which packet has been reached: times may be reckoned anew, places are not.
        """
        if place is None or not self._places_differ:
            return None
        at = int(np.searchsorted(self.places, place, sorter=self._by_place))
        packet = int(self._by_place[at]) if at < len(self._by_place) else -1
        return packet if packet >= 0 and self.places[packet] == place else None

    @cached_property
    def _by_place(self) -> NDArray[np.intp]:
        return np.argsort(self.places, kind="stable")

    @cached_property
    def _places_differ(self) -> bool:
        places = self.places[self._by_place]
        return bool(np.diff(places, prepend=-1).min(initial=1) > 0)

    def runs(self, frames: Iterable[int]) -> Iterator[Run]:
        """The packets to decode for some frames: from a key packet to the last packet that holds one of them.

        Two frames share a run when decoding on from the first costs no more than starting again for the second.

        Args:
            frames: Rising frame numbers.
        """
        run: Run | None = None
        for frame in frames:
            packet = int(self.packet_of[frame])
            # The last key that is neither shown nor stored after it: a wrong time may set its packet before its key.
            shown = np.searchsorted(self.key_frames, frame, side="right")
            stored = np.searchsorted(self.key_packets, packet, side="right")
            key = int(self.key_packets[min(shown, stored) - 1])
            if run is not None and run.first <= key <= run.last + 1:
                run = Run(run.first, max(run.last, packet), [*run.frames, frame])
                continue
            if run is not None:
                yield run
            run = Run(key, packet, [frame])
        if run is not None:
            yield run


def index_of(packets: Sequence[Packet], fps: float, tick_sec: float = 1.0) -> PacketIndex:
    """The index of packets that all carry their time of showing; it has no frames if none can be shown.

    Args:
        packets: In stored order.
        fps: Average frames per second.
        tick_sec: Seconds of one unit of the packets' times.
    """
    key, keys_alone = proven_keys(
        np.array([packet.key for packet in packets], np.bool_), np.array([packet.alone for packet in packets], np.bool_)
    )
    extents = [packet.extent for packet in packets]
    return index_of_arrays(
        time=np.array([_first_known(packet.pts, packet.dts) for packet in packets], np.int64),
        key=key,
        shown=np.array([packet.shown for packet in packets], np.bool_),
        seek_time=np.array([_first_known(packet.dts, packet.pts) for packet in packets], np.int64),
        place=np.array([packet.place for packet in packets], np.int64),
        keys_alone=keys_alone,
        fps=fps,
        tick_sec=tick_sec,
        extents=np.array(extents, np.int64) if None not in extents else None,
    )


def proven_keys(marked: NDArray[np.bool_], alone: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], bool]:
    """The packets to start at: those marked as key that stand alone, and where the first mark is of none, the first.

    Also whether all that are marked stand alone.
    """
    keys = marked & alone
    keys[0] |= not keys[np.argmax(marked)]
    return keys, bool(marked.any() and alone[marked].all())


def index_of_arrays(
    *,
    time: NDArray[np.int64],
    key: NDArray[np.bool_],
    shown: NDArray[np.bool_],
    seek_time: NDArray[np.int64],
    place: NDArray[np.int64],
    keys_alone: bool,
    fps: float,
    tick_sec: float,
    first_sec: float | None = None,
    extents: NDArray[np.int64] | None = None,
) -> PacketIndex:
    """The index of packets given as columns [packets], in stored order; `time` is that of showing.

    `first_sec` is when the first frame is shown, where `time` holds but for a constant.
    """
    keys = np.flatnonzero(key)
    keys = keys if keys.size else np.array([0])
    keys = keys[np.maximum.accumulate(time[keys]) == time[keys]]
    # Where a recording begins between two key frames, its first frames have nothing to be decoded from.
    decodable = np.flatnonzero(shown & (np.arange(len(time)) >= keys[0]) & (time >= time[keys[0]]))
    packet_of = decodable[np.argsort(time[decodable], kind="stable")]
    frame_of = np.full(len(time), -1)
    frame_of[packet_of] = np.arange(len(packet_of))
    return PacketIndex(
        packet_of=packet_of,
        frame_of=frame_of,
        key_packets=keys,
        key_frames=np.searchsorted(time[packet_of], time[keys]),
        times=time,
        seek_times=seek_time,
        places=place,
        keys_alone=keys_alone,
        timed=True,
        frame_times=_clock(time[packet_of], tick_sec, first_sec),
        fps=fps,
        extents=extents,
    )


def _clock(time: NDArray[np.int64], tick_sec: float, first_sec: float | None) -> NDArray[np.float64]:
    """Times in seconds, moved so that the first is `first_sec`, if that is given."""
    if first_sec is None or not time.size:
        return np.asarray(time * tick_sec)
    return np.asarray((time - time[0]) * tick_sec + first_sec)


def index_counted(num_packets: int, num_frames: int, fps: float) -> PacketIndex:
    """The index of packets without times, whose frames have been counted by decoding them all."""
    return PacketIndex(
        packet_of=np.arange(num_frames),
        frame_of=np.full(num_packets, -1),
        key_packets=np.array([0]),
        key_frames=np.array([0]),
        times=np.zeros(num_packets, np.int64),
        seek_times=np.zeros(num_packets, np.int64),
        places=np.full(num_packets, -1),
        keys_alone=False,
        timed=False,
        frame_times=np.arange(num_frames) / fps,
        fps=fps,
    )


def _first_known(*times: int | None) -> int:
    return next((time for time in times if time is not None), 0)
