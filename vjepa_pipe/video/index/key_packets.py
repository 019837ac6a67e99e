"""Which key packets are proven by their own bytes: a decoder that begins at them gives whole pictures at once.

Containers mark as key frames what their writers say: every packet of an MP4 file without a list of key frames, and the
points where H.264 and HEVC refresh a picture bit by bit, are such marks too, and a decoder that begins there gives
wrong pictures. So the headers of pictures decide.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from vjepa_pipe.video.index.nal_units import LENGTH_SIZE_AT, units

SEI, RECOVERY_POINT = 6, 6  # an H.264 unit of notes, and the note that says how soon pictures are whole again


def stands_alone(codec: str, configuration: bytes | None, packet: bytes) -> bool:
    """Whether decoding can begin at a packet without loss, but for pictures shown before it.

    Args:
        codec: FFmpeg's name of the codec, not of the decoder.
        configuration: The stream's configuration record ("extradata").
        packet: The bytes of a packet that its container marks as a key frame.

    Returns:
        False also where it cannot be told, as in packets without a picture, and for codecs that are not looked into.
    """
    if codec in LENGTH_SIZE_AT:
        return _first_slice_is_whole(codec, configuration, packet)
    if codec in _INTRA_PICTURE:
        return _INTRA_PICTURE[codec](packet)
    return intra_only(codec)


@cache
def intra_only(codec: str) -> bool:
    """Whether every picture of a codec stands alone, such as those of motion JPEG and ProRes."""
    import av

    try:
        return codec == "png" or av.Codec(codec, "r").intra_only
    except ValueError:  # this FFmpeg does not know it
        return False


def _first_slice_is_whole(codec: str, configuration: bytes | None, packet: bytes) -> bool:
    whole_at_once = False
    for unit in units(codec, configuration, packet):
        if codec == "h264":
            kind = unit[0] & 0x1F
            if kind == SEI:
                whole_at_once = whole_at_once or _recovers_at_once(unit)
            if 1 <= kind <= 5:  # a slice; 5: of a picture that forgets all before it (IDR)
                return kind == 5 or whole_at_once
        elif unit[0] >> 1 & 0x3F < 32:  # a slice; 16 to 21: of a random access picture
            return 16 <= unit[0] >> 1 & 0x3F <= 21
    return False


def _bits(data: bytes, at: int, count: int) -> int:
    """`count` bits, at most 32, from the bit `at` on; -1 past the end."""
    if len(data) * 8 < at + count:
        return -1
    word = int.from_bytes(data[at // 8 : at // 8 + 5].ljust(5, b"\0"), "big")
    return word >> (40 - at % 8 - count) & (1 << count) - 1


def _behind(start: bytes, at: int, count: int, intra: int) -> Callable[[bytes], bool]:
    """A test of some bits behind the first of these start codes."""

    def is_intra(packet: bytes) -> bool:
        place = packet.find(start)
        return place >= 0 and _bits(packet, 8 * (place + len(start)) + at, count) == intra

    return is_intra


def _h263(packet: bytes) -> bool:
    """ITU-T H.263, 5.1: picture type in PTYPE, or where the format is 7, in PLUSPTYPE."""
    if _bits(packet, 0, 22) != 0x20:
        return False
    if _bits(packet, 35, 3) != 7:
        return _bits(packet, 38, 1) == 0
    return _bits(packet, 59 if _bits(packet, 38, 3) == 1 else 41, 3) == 0


def _sorenson(packet: bytes) -> bool:
    """Adobe's SWF format, "Sorenson H.263 video packet": the size may be spelled out before the picture type."""
    if _bits(packet, 0, 17) != 1:
        return False
    return _bits(packet, 33 + {0: 16, 1: 32}.get(_bits(packet, 30, 3), 0), 2) == 0


def _vp8(packet: bytes) -> bool:
    """RFC 6386, 9.1."""
    return len(packet) > 6 and not packet[0] & 1 and packet[3:6] == b"\x9d\x01\x2a"


def _vp9(packet: bytes) -> bool:
    """VP9 bitstream specification, 6.2: frame marker 2, profile, then whether an old frame is shown, and the type."""
    at = 5 if _bits(packet, 2, 2) == 3 else 4
    return _bits(packet, 0, 2) == 2 and _bits(packet, at, 2) == 0 and _bits(packet, at + 4, 24) == 0x498342


def _av1(packet: bytes) -> bool:
    """AV1 bitstream specification, 5.3 to 5.9: the first frame header is of a key frame that is shown."""
    at = 0
    while at < len(packet):
        head, at = packet[at], at + 1
        at += head >> 2 & 1  # an extension
        size = len(packet) - at
        if head & 2:
            size = shift = 0
            while at < len(packet):
                part, at = packet[at], at + 1
                size |= (part & 0x7F) << shift
                shift += 7
                if not part & 0x80 or shift > 28:
                    break
        if head >> 3 & 15 in (3, 6):
            return _bits(packet, 8 * at, 4) == 1  # not an old frame shown again; type 0; shown
        at += size
    return False


def _ffv1(packet: bytes) -> bool:
    """RFC 9043, 4.4: the first bit of a frame, coded with even odds, says that it is a key frame."""
    return _bits(packet, 0, 16) >= 0x7F80


def _msmpeg4v1(packet: bytes) -> bool:
    return _bits(packet, 0, 32) == 0x100 and _bits(packet, 37, 2) == 0


def _starts_with(count: int) -> Callable[[bytes], bool]:
    """The first bits, all 0 in an intra picture."""
    return lambda packet: _bits(packet, 0, count) == 0


_INTRA_PICTURE: dict[str, Callable[[bytes], bool]] = {
    "mpeg1video": _behind(b"\0\0\1\0", 10, 3, 1),  # ISO/IEC 11172-2 and 13818-2, picture header
    "mpeg2video": _behind(b"\0\0\1\0", 10, 3, 1),
    "mpeg4": _behind(b"\0\0\1\xb6", 0, 2, 0),  # ISO/IEC 14496-2, video object plane
    "h263": _h263,
    "flv1": _sorenson,
    "msmpeg4v1": _msmpeg4v1,
    "msmpeg4v2": _starts_with(2),
    "msmpeg4v3": _starts_with(2),
    "wmv1": _starts_with(2),
    "wmv2": _starts_with(1),
    "theora": _starts_with(2),  # a data packet, of an intra frame
    "vp8": _vp8,
    "vp9": _vp9,
    "av1": _av1,
    "ffv1": _ffv1,
}


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
