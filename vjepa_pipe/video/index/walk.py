"""One walk over the packets of a file, which decodes none: what it takes to reach any frame exactly."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from vjepa_pipe.config.errors import counted
from vjepa_pipe.video.errors import VideoError
from vjepa_pipe.video.index.key_packets import stands_alone
from vjepa_pipe.video.index.packets import Packet, PacketIndex, index_counted, index_of
from vjepa_pipe.video.opening import bytes_of, open_video

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet as StoredPacket
    from av.video.stream import VideoStream

    from vjepa_pipe.storage import RemoteFile

VP8_SHOWN = 0x10  # bit of the first byte of a VP8 frame (RFC 6386, section 9.1)
RATE_TOLERANCE = 0.05


LONGEST_HEADER = 64
"""Bytes within which a packet's data begin, from the place that its container gives."""


def index_packets(
    path: str,
    container: InputContainer,
    stream: VideoStream,
    file: RemoteFile | None = None,
    *,
    find_data: bool = False,
) -> PacketIndex:
    """Walk once over the packets of a stream; the container is left at its end. Arguments as for `index_from_tables`.

    Args:
        path: The file.
        container: The same, open.
        stream: Its video.
        file: The same file, if it lies at a URL.
        find_data: Find out where the data of each packet stand, for `PacketIndex.extents`.

    Raises:
        VideoError: If a packet cannot be read, or there is none, or no rate is known.
    """
    import av

    codec, configuration = stream.codec_context.codec.canonical_name, stream.codec_context.extradata
    # An MP4 file lists its packets in its header; older PyAV does not show the list.
    listed = len(getattr(stream, "index_entries", ())) if container.format.name.startswith("mov") else 0
    packets = []
    try:
        with bytes_of(path, file) as whole:
            for packet in container.demux(stream):
                if packet.size == 0 and packet.dts is None:
                    continue  # PyAV's end mark
                key = packet.is_keyframe
                hidden = codec == "vp8" and not memoryview(packet)[0] & VP8_SHOWN
                packets.append(
                    Packet(
                        pts=packet.pts,
                        dts=packet.dts,
                        duration=packet.duration or 0,
                        place=-1 if packet.pos is None else packet.pos,
                        key=key,
                        alone=key and stands_alone(codec, configuration, bytes(packet)),
                        shown=not packet.is_discard and not hidden,
                        extent=_extent(whole, packet) if find_data else None,
                    )
                )
    except av.FFmpegError as error:
        raise VideoError(path, f"damaged after {counted(len(packets), 'packet')} ({error.strerror})") from error
    if not packets:
        raise VideoError(path, "holds no frames")
    if len(packets) < listed:
        raise VideoError(
            path, f"damaged or cut off: its header lists {counted(listed, 'packet')}, it holds {len(packets)}"
        )

    if _has_times(packets, avi=container.format.name == "avi", reordered=stream.codec_context.reorder_depth > 0):
        index = index_of(packets, _average_rate(path, stream, packets), float(stream.time_base or 0))
    else:
        index = index_counted(len(packets), _count_frames(path, file), _average_rate(path, stream, []))
    if not index.num_frames:
        raise VideoError(path, "holds no frames that can be shown")
    return index


def _extent(whole: BinaryIO | io.RawIOBase, packet: StoredPacket[VideoStream]) -> tuple[int, int] | None:
    if packet.pos is None:
        return None
    whole.seek(packet.pos)
    at = (whole.read(LONGEST_HEADER + packet.size) or b"").find(bytes(packet))
    return (packet.pos + at, packet.size) if at >= 0 else None


def _has_times(packets: list[Packet], *, avi: bool, reordered: bool) -> bool:
    """Whether the times of showing can be trusted: raw streams carry none, AVI only those of decoding."""
    times = {packet.pts for packet in packets if packet.shown}
    return None not in times and len(times) == sum(packet.shown for packet in packets) and not (avi and reordered)


def _count_frames(path: str, file: RemoteFile | None) -> int:
    """The frames of a file, decoded: without times, its packets do not tell how many they give."""
    import av

    container, stream = open_video(path, file)
    with container:
        try:
            return sum(1 for _ in container.decode(stream))
        except av.FFmpegError as error:
            raise VideoError(path, f"damaged ({error.strerror})") from error


def _average_rate(path: str, stream: VideoStream, packets: list[Packet]) -> float:
    """Frames per second: what the file declares, unless the times of its frames contradict it.

    The declared rate is preferred because it is exact (30, where times rounded to milliseconds give 30.0003). With a
    variable rate, some containers declare another rate than the average.
    """
    declared = float(stream.average_rate or stream.guessed_rate or 0)
    measured = 0.0
    shown = sorted((packet.pts or 0, packet.duration) for packet in packets if packet.shown)
    if len(shown) > 1 and stream.time_base:
        (first, _), (last, duration) = shown[0], shown[-1]
        length = last - first + max(duration, (last - first) / (len(shown) - 1))
        measured = len(shown) / float(length * stream.time_base)
    if measured and abs(declared - measured) > RATE_TOLERANCE * measured:
        return measured
    if not declared:
        raise VideoError(path, "its frame rate is unknown")
    return declared
