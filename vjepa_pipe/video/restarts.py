"""Which key packets stand alone, so that a decoder that begins at them gives whole pictures at once.

Containers also mark as key frames the points where H.264 and HEVC refresh a picture bit by bit: a decoder that begins
there gives whole pictures only some frames later.
"""

from __future__ import annotations

from collections.abc import Iterator

# Codec: place of the byte of its configuration record (ISO/IEC 14496-15) that gives the size of unit lengths.
LENGTH_SIZE_AT = {"h264": 4, "hevc": 21}
START_CODE = b"\0\0\1"
SEI, RECOVERY_POINT = 6, 6  # an H.264 unit of notes, and the note that says how soon pictures are whole again


def stands_alone(codec: str, configuration: bytes | None, packet: bytes) -> bool:
    """Whether decoding can begin at a key packet without loss, but for pictures shown before it.

    Args:
        codec: FFmpeg's name of the codec.
        configuration: The stream's configuration record ("extradata").
        packet: The bytes of a packet that its container marks as a key frame.

    Returns:
        False also where it cannot be told, as in packets without a slice.
    """
    if codec not in LENGTH_SIZE_AT:
        return True
    whole_at_once = False
    for unit in _units(codec, configuration, packet):
        if codec == "h264":
            kind = unit[0] & 0x1F
            if kind == SEI:
                whole_at_once = whole_at_once or _recovers_at_once(unit)
            if 1 <= kind <= 5:  # a slice; 5: of a picture that forgets all before it (IDR)
                return kind == 5 or whole_at_once
        elif unit[0] >> 1 & 0x3F < 32:  # a slice; 16 to 21: of a random access picture
            return 16 <= unit[0] >> 1 & 0x3F <= 21
    return False


def _units(codec: str, configuration: bytes | None, packet: bytes) -> Iterator[bytes]:
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


def _recovers_at_once(unit: bytes) -> bool:
    """Whether notes hold a recovery point of 0 frames (ITU-T H.264, D.1.8): an intra picture as good as an IDR one."""
    at = 1
    while at + 2 < len(unit):
        kind = size = 0
        while at < len(unit) and unit[at] == 0xFF:
            kind, at = kind + 255, at + 1
        kind, at = kind + unit[at], at + 1
        while at < len(unit) and unit[at] == 0xFF:
            size, at = size + 255, at + 1
        if at + 1 >= len(unit):
            return False
        size, at = size + unit[at], at + 1
        if kind == RECOVERY_POINT:
            return bool(unit[at] & 0x80)  # Exp-Golomb: a first bit of 1 is the number 0
        at += size
    return False
