"""What packets of H.264 and HEVC are made of: units, each with a header that says what it holds."""

from __future__ import annotations

from collections.abc import Iterator

# Codec: place of the byte of its configuration record (ISO/IEC 14496-15) that gives the size of unit lengths.
LENGTH_SIZE_AT = {"h264": 4, "hevc": 21}
START_CODE = b"\0\0\1"


def units(codec: str, configuration: bytes | None, packet: bytes) -> Iterator[bytes]:
    """The units of a packet, none of them empty: stored with their lengths, or behind start codes."""
    at = LENGTH_SIZE_AT[codec]
    if not configuration or configuration[0] != 1 or len(configuration) <= at:
        yield from (unit for unit in packet.split(START_CODE)[1:] if unit)
        return
    length_size = (configuration[at] & 3) + 1
    place = 0
    while place + length_size < len(packet):
        end = place + length_size + int.from_bytes(packet[place : place + length_size], "big")
        yield packet[place + length_size : max(end, place + length_size + 1)]
        place = end


def temporal_layer(codec: str, configuration: bytes | None, packet: bytes) -> int:
    """The temporal layer of a packet of HEVC (ITU-T H.265, 7.4.2.2); 0 in other codecs.

    What says that nothing refers to a picture speaks of its own layer only: pictures of higher layers may.
    """
    if codec != "hevc":
        return 0
    return max((unit[1] & 7 for unit in units(codec, configuration, packet) if len(unit) > 1), default=1) - 1
