"""Videos at URLs, read with an index: the packets of a clip are asked for, and nothing else is read or opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import counted
from vjepa_pipe.storage import RemoteFile
from vjepa_pipe.video.decoders.pyav import IndexMismatch, PyavReader
from vjepa_pipe.video.errors import VideoError
from vjepa_pipe.video.index.packet_table import PacketTable
from vjepa_pipe.video.index.packets import PacketIndex, Run

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Fetch = Callable[[NDArray[np.int64]], list[bytes]]
"""Gives the bytes of ranges: first byte and size of each, int64 [ranges, 2]."""


class RangeReader(PyavReader):
    """A video that is known from its packet table; see `VideoReader`.

    Opening reads nothing. Each `read` first asks for all packets that it will decode.

    Args:
        path: The file, as messages name it.
        threads: As for `PyavDecoder`.
        table: Its packets.
        fetch: Reads them.
        open_file: Opens the file, should a packet that is marked as key prove to be none.
        size: Of the file, in bytes.
    """

    def __init__(
        self, path: str, threads: int, table: PacketTable, fetch: Fetch, open_file: Callable[[], RemoteFile], size: int
    ) -> None:
        self._table, self._fetch, self._open_file = table, fetch, open_file
        self._data: dict[int, bytes] = {}
        self._keys = frozenset(table.index.key_packets.tolist())
        self._walked: PyavReader | None = None
        super().__init__(path, threads)
        self.size = size

    def _open(self) -> None:
        self._use(self._table.context())

    def _find_index(self, packets: bytes) -> tuple[PacketIndex, bool]:  # noqa: ARG002
        return self._table.index, True

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        if self._walked is not None:
            return self._walked.read(numbers)
        self._data = {}
        self._ask_for(*((run.first, run.last) for run in self._index.runs(np.unique(numbers).tolist())))
        try:
            return self._as_rgb(numbers)
        except IndexMismatch:
            self._walked = PyavReader(self.path, self._threads, file=self._open_file())
            if self._walked.num_frames != self.num_frames:
                fault = f"its index speaks of {counted(self.num_frames, 'frame')}, it holds {self._walked.num_frames}"
                raise VideoError(self.path, fault) from None
            return self._walked.read(numbers)

    def close(self) -> None:
        """Free the decoder and the packets."""
        self._data = {}
        if self._walked is not None:
            self._walked.close()

    def _rotation_of(self, picture: VideoFrame) -> int:  # noqa: ARG002
        return self._table.rotation

    def _packets_from(self, first: int, last: int) -> Iterator[tuple[int, Packet[VideoStream]]]:
        self._ask_for((first, last))
        return ((number, self._packet(number)) for number in range(first, last + 1))

    def _packet(self, number: int) -> Packet[VideoStream]:
        from av.packet import Packet

        packet: Packet[VideoStream] = Packet(self._data[number])
        packet.is_keyframe = number in self._keys
        return packet

    def _checked(
        self, packets: Iterator[tuple[int, Packet[VideoStream]]], run: Run
    ) -> Iterator[tuple[int, Packet[VideoStream]]]:
        """They are those that were indexed: the object is the same."""
        return packets

    def _ask_for(self, *stretches: tuple[int, int]) -> None:
        """Have the packets of some stretches, both ends included, at hand."""
        extents = self._index.extents
        assert extents is not None
        wanted = [n for first, last in stretches for n in range(first, last + 1) if n not in self._data]
        if wanted:
            self._data |= zip(wanted, self._fetch(extents[wanted]), strict=True)
