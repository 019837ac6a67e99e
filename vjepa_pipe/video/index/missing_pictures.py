"""Pictures that are missing from an H.264 stream, found by the numbers that it gives to those that others refer to.

The decoder puts another picture in the place of a missing one and does not tell.
"""

from __future__ import annotations

from typing import NamedTuple

from vjepa_pipe.video.index.key_packets import stands_alone
from vjepa_pipe.video.index.nal_units import START_CODE, units

SLICE, IDR_SLICE, PARAMETERS = 1, 5, 7
WITH_CHROMA_FORMAT = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 134, 135, 138, 139})


class _Numbering(NamedTuple):
    """What a sequence parameter set says of the numbers: their bits, and those of what stands before them."""

    bits: int
    colour_plane_bits: int


class _Bits:
    """The bits of a unit, behind its header of one byte."""

    def __init__(self, unit: bytes, size: int) -> None:
        data = unit[1:size].replace(b"\0\0\3", b"\0\0")  # what keeps start codes out of a unit
        self._text, self._at = bin(int.from_bytes(b"\1" + data))[3:], 0  # with the 1 in front, zeros after it stay

    def number(self, bits: int) -> int:
        """The next bits as a number; IndexError or ValueError past the end."""
        self._at += bits
        if self._at > len(self._text):
            raise IndexError
        return int(self._text[self._at - bits : self._at] or "0", 2)

    def golomb(self) -> int:
        """The next Exp-Golomb code (ITU-T H.264, 9.1), without its sign."""
        zeros = self._text.index("1", self._at) - self._at
        self._at += zeros
        return self.number(zeros + 1) - 1


class MissingPictures:
    """Follows the packets of a stream in stored order and notices where one is missing.

    A picture's number is that of the last picture that others may refer to, or one more (ITU-T H.264, 7.4.3,
    `frame_num`), unless the stream says that numbers may be left out.

    Args:
        configuration: The stream's configuration record ("extradata").
    """

    def __init__(self, configuration: bytes | None) -> None:
        self._configuration = configuration
        self._numbering: _Numbering | None = None
        self._last: int | None = None
        for unit in _parameter_sets(configuration or b""):
            self._numbering = _numbering(unit)

    def before(self, packet: bytes) -> bool:
        """Whether a picture that this packet may refer to is missing; False where it cannot be told."""
        for unit in units("h264", self._configuration, packet):
            kind = unit[0] & 0x1F
            if kind == PARAMETERS:
                self._numbering = _numbering(unit)
            elif kind in (SLICE, IDR_SLICE):
                return self._missing_before_slice(unit, packet)
        return False

    def _missing_before_slice(self, unit: bytes, packet: bytes) -> bool:
        if self._numbering is None:
            return False
        bits = _Bits(unit, 32)
        try:
            for _ in ("first macroblock", "slice type", "picture parameter set"):
                bits.golomb()
            bits.number(self._numbering.colour_plane_bits)
            number = bits.number(self._numbering.bits)
        except (IndexError, ValueError):
            return False  # damaged, which the decoder tells
        last, following = self._last, ((self._last or 0) + 1) % (1 << self._numbering.bits)
        if unit[0] & 0x60:  # others may refer to it
            self._last = number
        expected = last is None or number in (last, following)
        return not expected and not stands_alone("h264", self._configuration, packet)


def _parameter_sets(configuration: bytes) -> list[bytes]:
    """The sequence parameter sets of a configuration record (ISO/IEC 14496-15), or of one in start codes."""
    if configuration[:1] != b"\1":
        return [unit for unit in configuration.split(START_CODE)[1:] if unit and unit[0] & 0x1F == PARAMETERS]
    found, at = [], 6
    for _ in range(configuration[5] & 0x1F if len(configuration) > 5 else 0):
        size = int.from_bytes(configuration[at : at + 2], "big")
        found.append(configuration[at + 2 : at + 2 + size])
        at += 2 + size
    return [unit for unit in found if unit]


def _numbering(unit: bytes) -> _Numbering | None:
    """From a sequence parameter set (ITU-T H.264, 7.3.2.1.1); None if it is damaged, or lets numbers be left out."""
    bits, planes = _Bits(unit, len(unit)), 0
    try:
        profile = bits.number(8)
        bits.number(16)  # constraints, level
        bits.golomb()
        if profile in WITH_CHROMA_FORMAT:
            chroma = bits.golomb()
            planes = 2 * bits.number(1) if chroma == 3 else 0
            bits.golomb(), bits.golomb()
            bits.number(1)
            if bits.number(1):  # scaling matrices
                for matrix in range(12 if chroma == 3 else 8):
                    if bits.number(1):
                        _skip_scaling_list(bits, 16 if matrix < 6 else 64)
        size = bits.golomb() + 4
        order = bits.golomb()
        if order == 0:
            bits.golomb()
        elif order == 1:
            bits.number(1)
            for _ in range(2):
                bits.golomb()
            for _ in range(bits.golomb()):
                bits.golomb()
        bits.golomb()
        left_out = bits.number(1)
    except (IndexError, ValueError):
        return None
    return None if left_out else _Numbering(size, planes)


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb() + 1
            following = (last + (code // 2 if code % 2 == 0 else -(code // 2))) % 256
        last = following or last
