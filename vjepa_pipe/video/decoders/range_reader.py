"""Videos at URLs, read with an index: the packets of a clip are asked for, and nothing else is read or opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.storage import ObjectChanged, RangesRead
from vjepa_pipe.video.decoders.pyav import CHANGED, PyavReader
from vjepa_pipe.video.errors import VideoError
from vjepa_pipe.video.index.key_packets import stands_alone
from vjepa_pipe.video.index.packet_table import PacketTable
from vjepa_pipe.video.index.packets import PacketIndex
from vjepa_pipe.video.reader import Indices, frame_numbers

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Fetch = Callable[[NDArray[np.int64]], RangesRead]
"""Reads ranges: first byte and size of each, int64 [ranges, 2]."""


class RangeReader(PyavReader):
    """A video that is known from its packet table; see `VideoReader`.

    Opening reads nothing. Each `read` first asks for all packets that it will decode, unless `plan` has. Packets that
    are marked as key and prove to be none are decoded from the first one on.

    Args:
        path: The file, as messages name it.
        table: Its packets.
        fetch: Reads them.
        size: Of the file, in bytes.
        threads: As for `PyavDecoder`.
    """

    def __init__(self, path: str, table: PacketTable, fetch: Fetch, size: int, threads: int = 1) -> None:
        self._table, self._fetch = table, fetch
        self._data: dict[int, bytes] = {}
        self._planned: tuple[list[int], RangesRead] | None = None
        self._keys = frozenset(table.index.key_packets.tolist())
        super().__init__(path, threads)
        self.size = size

    def _open(self) -> None:
        self._use(self._table.context())

    def _find_index(self, packets: bytes) -> tuple[PacketIndex, bool]:  # noqa: ARG002
        return self._table.index, False

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        self._data = {}
        self._ask_for(self._packets_of(numbers))
        return super()._read(numbers)

    def plan(self, indices: Indices) -> RangesRead:
        """What `read` of these frames will ask for, which can so be asked for before.

        Raises:
            VideoError: If a number is out of range.
        """
        packets = self._packets_of(frame_numbers(self.path, indices, self.num_frames))
        self._planned = packets, self._ranges_of(packets)
        return self._planned[1]

    @property
    def index_bytes(self) -> int:
        """Memory that the packet table takes."""
        return sum(column.nbytes for column in vars(self._index).values() if isinstance(column, np.ndarray))

    def close(self) -> None:
        """Free the packets."""
        self._data = {}
        if self._planned is not None:
            self._planned[1].cancel()

    def _rotation_of(self, picture: VideoFrame) -> int:  # noqa: ARG002
        return self._table.rotation

    def _packets_from(self, first: int, last: int) -> Iterator[tuple[int, Packet[VideoStream]]]:
        self._ask_for([number for number in range(first, last + 1) if number not in self._data])
        codec, configuration = self._context.codec.canonical_name, self._table.configuration
        if first != self._index.key_packets[0] and not stands_alone(codec, configuration, self._data[first]):
            raise VideoError(self.path, f"packet {first} is no key packet")
        return ((number, self._packet(number)) for number in range(first, last + 1))

    def _packet(self, number: int) -> Packet[VideoStream]:
        from av.packet import Packet

        packet: Any = Packet(self._data[number])
        packet.is_keyframe = number in self._keys
        return cast("Packet[VideoStream]", packet)

    def _packets_of(self, numbers: NDArray[np.int64]) -> list[int]:
        runs = self._index.runs(np.unique(numbers).tolist())
        return [number for run in runs for number in range(run.first, run.last + 1)]

    def _ranges_of(self, packets: list[int]) -> RangesRead:
        assert self._index.extents is not None
        return self._fetch(self._index.extents[packets])

    def _ask_for(self, packets: list[int]) -> None:
        if not packets:
            return
        planned, self._planned = self._planned, None
        if planned is None or planned[0] != packets:
            planned = packets, self._ranges_of(packets)
        try:
            self._data |= zip(packets, planned[1].result(), strict=True)
        except ObjectChanged:
            raise VideoError(self.path, CHANGED) from None
