"""Which frame each compressed packet of a file becomes, learned without decoding any.

A file stores packets in the order a decoder needs them, which is not the order frames are shown in. One walk over
the packets gives both orders, and with them everything needed to reach any frame exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.video.errors import VideoError
from vjepa_pipe.video.opening import open_video

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

VP8_SHOWN = 0x10  # bit of the first byte of a VP8 frame (RFC 6386, section 9.1)
RATE_TOLERANCE = 0.05


class Packet(NamedTuple):
    """What the walk keeps of a packet; times are in the stream's time base.

    Attributes:
        pts: When its frame is shown, None if the file does not say.
        dts: When it is decoded, None if the file does not say.
        duration: How long its frame is shown, 0 if unknown.
        place: Byte at which it is stored in the file, -1 if unknown.
        key: Decoding can start here.
        shown: Its frame is shown; false for frames that an edit list cuts away, and for VP8's hidden references.
    """

    pts: int | None
    dts: int | None
    duration: int
    place: int
    key: bool
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
        timed: False for a file without usable times of showing: its frames can only be counted from the start.
        fps: Average frames per second.
    """

    packet_of: NDArray[np.int64]
    frame_of: NDArray[np.int64]
    key_packets: NDArray[np.int64]
    key_frames: NDArray[np.int64]
    seek_times: NDArray[np.int64]
    places: NDArray[np.int64]
    timed: bool
    fps: float

    @property
    def num_frames(self) -> int:
        """Frames that are shown."""
        return len(self.packet_of)

    @property
    def keys_stored_as_shown(self) -> bool:
        """Every packet is shown, and no picture shown before a key frame is stored after it (closed groups)."""
        return self.num_frames == len(self.frame_of) and np.array_equal(self.key_frames, self.key_packets)

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


def index_packets(path: str, container: InputContainer, stream: VideoStream) -> PacketIndex:
    """Walk once over the packets of a stream; the container is left at its end.

    Raises:
        VideoError: If a packet cannot be read, or there is none, or no rate is known.
    """
    import av

    vp8 = stream.codec_context.name == "vp8"
    packets = []
    try:
        for packet in container.demux(stream):
            if packet.size == 0 and packet.dts is None:
                continue  # PyAV's end mark
            shown = not packet.is_discard and not (vp8 and not memoryview(packet)[0] & VP8_SHOWN)
            place = -1 if packet.pos is None else packet.pos
            packets.append(Packet(packet.pts, packet.dts, packet.duration or 0, place, packet.is_keyframe, shown))
    except av.FFmpegError as error:
        raise VideoError(path, f"damaged after {len(packets)} packets ({error.strerror})") from error
    if not packets:
        raise VideoError(path, "holds no frames")

    reordered = stream.codec_context.reorder_depth > 0
    if not _has_times(packets, avi=container.format.name == "avi", reordered=reordered):
        return _counted_from_start(path, stream, packets)
    time = np.array([_first_known(packet.pts, packet.dts) for packet in packets])
    keys = np.flatnonzero([packet.key for packet in packets])
    keys = keys if keys.size else np.array([0])
    keys = keys[np.maximum.accumulate(time[keys]) == time[keys]]
    # Where a recording begins between two key frames, its first frames have nothing to be decoded from.
    decodable = [n for n, packet in enumerate(packets) if packet.shown and n >= keys[0] and time[n] >= time[keys[0]]]
    if not decodable:
        raise VideoError(path, "holds no frames that are shown")
    packet_of = np.array(sorted(decodable, key=time.__getitem__))
    frame_of = np.full(len(packets), -1)
    frame_of[packet_of] = np.arange(len(packet_of))
    return PacketIndex(
        packet_of=packet_of,
        frame_of=frame_of,
        key_packets=keys,
        key_frames=np.searchsorted(time[packet_of], time[keys]),
        seek_times=np.array([_first_known(packet.dts, packet.pts) for packet in packets]),
        places=np.array([packet.place for packet in packets]),
        timed=True,
        fps=_average_rate(path, stream, [packets[n] for n in packet_of]),
    )


def _has_times(packets: list[Packet], *, avi: bool, reordered: bool) -> bool:
    """Whether the times of showing can be trusted: raw streams carry none, AVI only those of decoding."""
    times = {packet.pts for packet in packets if packet.shown}
    return None not in times and len(times) == sum(packet.shown for packet in packets) and not (avi and reordered)


def _counted_from_start(path: str, stream: VideoStream, packets: list[Packet]) -> PacketIndex:
    """The index of a file without times. Its packets do not tell how many frames they give, so all are decoded."""
    import av

    container, counted_stream = open_video(path)
    with container:
        try:
            num_frames = sum(1 for _ in container.decode(counted_stream))
        except av.FFmpegError as error:
            raise VideoError(path, f"damaged ({error.strerror})") from error
    if not num_frames:
        raise VideoError(path, "none of its frames can be decoded")
    return PacketIndex(
        packet_of=np.arange(num_frames),
        frame_of=np.full(len(packets), -1),
        key_packets=np.array([0]),
        key_frames=np.array([0]),
        seek_times=np.zeros(len(packets), np.int64),
        places=np.full(len(packets), -1),
        timed=False,
        fps=_average_rate(path, stream, []),
    )


def _first_known(*times: int | None) -> int:
    return next((time for time in times if time is not None), 0)


def _average_rate(path: str, stream: VideoStream, shown: list[Packet]) -> float:
    """Frames per second: what the file declares, unless its own frame times contradict it.

    The declared rate is preferred because it is exact (30, where times rounded to milliseconds give 30.0003). With a
    variable rate, some containers declare another rate than the average.
    """
    declared = float(stream.average_rate or stream.guessed_rate or 0)
    measured = 0.0
    if len(shown) > 1 and stream.time_base:
        first, last = _first_known(shown[0].pts), _first_known(shown[-1].pts)
        length = last - first + (shown[-1].duration or (last - first) / (len(shown) - 1))
        measured = len(shown) / float(length * stream.time_base)
    if measured and abs(declared - measured) > RATE_TOLERANCE * measured:
        return measured
    if not declared:
        raise VideoError(path, "its frame rate is unknown")
    return declared
