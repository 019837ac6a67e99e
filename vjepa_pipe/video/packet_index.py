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
    """

    pts: int | None
    dts: int | None
    duration: int
    place: int
    key: bool
    alone: bool
    shown: bool


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
        key_packets: Packets at which decoding can start; int64 [keys].
        key_frames: First frame that can be decoded from each of them; int64 [keys], rising.
        seek_times: Where to seek for each packet, in the stream's time base; int64 [packets].
        places: Byte at which each packet is stored in the file, -1 if unknown; int64 [packets].
        keys_alone: Decoding that starts at any key packet gives whole pictures at once.
        timed: False for a file without usable times of showing: its frames can only be counted from the start.
        frame_times: When each frame is shown, in seconds; float64 [frames]. By the average rate where not timed.
        fps: Average frames per second.
    """

    packet_of: NDArray[np.int64]
    frame_of: NDArray[np.int64]
    key_packets: NDArray[np.int64]
    key_frames: NDArray[np.int64]
    seek_times: NDArray[np.int64]
    places: NDArray[np.int64]
    keys_alone: bool
    timed: bool
    frame_times: NDArray[np.float64]
    fps: float

    @property
    def num_frames(self) -> int:
        """Frames that are shown."""
        return len(self.packet_of)

    @property
    def plain(self) -> bool:
        """Every packet is shown, key frames are stored in the place they are shown in, and stand alone."""
        in_place = self.num_frames == len(self.frame_of) and np.array_equal(self.key_frames, self.key_packets)
        return in_place and self.keys_alone

    @cached_property
    def packet_at(self) -> dict[int, int]:
        """From the byte at which a packet is stored to its number; empty unless every packet has its own byte.

        After a seek it tells which packet has been reached: times may be reckoned anew, places are not.
        """
        known = {int(place): packet for packet, place in enumerate(self.places) if place >= 0}
        return known if len(known) == len(self.places) else {}

    def runs(self, frames: Iterable[int]) -> Iterator[Run]:
        """The packets to decode for some frames: from a key packet to the last packet that holds one of them.

        Two frames share a run when decoding on from the first costs no more than starting again for the second.

        Args:
            frames: Rising frame numbers.
        """
        run: Run | None = None
        for frame in frames:
            key = int(self.key_packets[np.searchsorted(self.key_frames, frame, side="right") - 1])
            packet = int(self.packet_of[frame])
            if run is not None and key <= run.last + 1:
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
    time = np.array([_first_known(packet.pts, packet.dts) for packet in packets])
    keys = np.flatnonzero([packet.key for packet in packets])
    keys = keys if keys.size else np.array([0])
    keys = keys[np.maximum.accumulate(time[keys]) == time[keys]]
    # Where a recording begins between two key frames, its first frames have nothing to be decoded from.
    decodable = [n for n, packet in enumerate(packets) if packet.shown and n >= keys[0] and time[n] >= time[keys[0]]]
    packet_of = np.array(sorted(decodable, key=time.__getitem__), dtype=np.int64)
    frame_of = np.full(len(packets), -1)
    frame_of[packet_of] = np.arange(len(packet_of))
    return PacketIndex(
        packet_of=packet_of,
        frame_of=frame_of,
        key_packets=keys,
        key_frames=np.searchsorted(time[packet_of], time[keys]),
        seek_times=np.array([_first_known(packet.dts, packet.pts) for packet in packets]),
        places=np.array([packet.place for packet in packets]),
        keys_alone=all(packets[n].alone for n in keys),
        timed=True,
        frame_times=time[packet_of] * tick_sec,
        fps=fps,
    )


def index_counted(num_packets: int, num_frames: int, fps: float) -> PacketIndex:
    """The index of packets without times, whose frames have been counted by decoding them all."""
    return PacketIndex(
        packet_of=np.arange(num_frames),
        frame_of=np.full(num_packets, -1),
        key_packets=np.array([0]),
        key_frames=np.array([0]),
        seek_times=np.zeros(num_packets, np.int64),
        places=np.full(num_packets, -1),
        keys_alone=False,
        timed=False,
        frame_times=np.arange(num_frames) / fps,
        fps=fps,
    )


def _first_known(*times: int | None) -> int:
    return next((time for time in times if time is not None), 0)
