"""Which key packets stand alone, so that a decoder that begins at them gives whole pictures at once.

Containers also mark as key frames the points where H.264 and HEVC refresh a picture bit by bit: a decoder that begins
there gives whole pictures only some frames later.
"""

from __future__ import annotations

# Codec: place of the byte of its configuration record (ISO/IEC 14496-15) that gives the size of unit lengths.
LENGTH_SIZE_AT = {"h264": 4, "hevc": 21}


def stands_alone(codec: str, configuration: bytes | None, packet: bytes) -> bool:
    """Whether decoding can begin at a key packet without loss.

    Args:
        codec: FFmpeg's name of the codec.
        configuration: The stream's configuration record ("extradata").
        packet: The bytes of a packet that its container marks as a key frame.

    Returns:
        False also where it cannot be told, as in streams whose units are not stored with their lengths.
    """
    if codec not in LENGTH_SIZE_AT:
        return True
    at = LENGTH_SIZE_AT[codec]
    if not configuration or configuration[0] != 1 or len(configuration) <= at:
        return False
    length_size = (configuration[at] & 3) + 1
    place = 0
    while place + length_size < len(packet):
        unit = packet[place + length_size]
        if codec == "h264" and 1 <= unit & 0x1F <= 5:  # a slice; 5: of a picture that forgets all before it (IDR)
            return unit & 0x1F == 5
        if codec == "hevc" and unit >> 1 & 0x3F < 32:  # a slice; 16 to 21: of a random access picture
            return 16 <= unit >> 1 & 0x3F <= 21
        place += length_size + int.from_bytes(packet[place : place + length_size], "big")
    return False
