"""Messages between two processes that carry their file descriptors with them and keep nobody waiting.

A pipe of `multiprocessing` makes its writer wait once it is full, its reader wait in the middle of a message, and
fetches descriptors from a thread of the sender, which may be stopped or hold the GIL. Here a message is a few bytes on
a Unix socket, and descriptors; a large one stands in a file without a name, whose descriptor is sent.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import tempfile
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import connection
from typing import Any, NamedTuple

_HEADER = struct.Struct("!IHB")  # bytes, descriptors, whether the bytes stand in a file: the last descriptor
_INLINE = 16 * 1024
"""Longer messages stand in a file: a socket holds some 200 kB, so that those of a whole prefetch go in."""
_FDS_AT_ONCE = 250  # Linux takes 253 in a call
_READ = 64 * 1024
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Message(NamedTuple):
    """What crosses.

    Attributes:
        data: Bytes.
        fds: Descriptors; whoever receives them closes them.
    """

    data: bytes
    fds: list[int]


class _Piece(NamedTuple):
    data: bytes
    fds: Sequence[int]
    owned: bool


class Channel:
    """One end of a connection between two processes.

    Args:
        end: One end of a socket pair.

    Attributes:
        closed: Whether the other end is gone, and all that it sent has been received.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.closed = False
        self._socket = end
        self._out: deque[_Piece] = deque()
        self._in = bytearray()
        self._fds: deque[int] = deque()

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Both ends of a new connection."""
        ours, theirs = socket.socketpair()
        return cls(ours), cls(theirs)

    @classmethod
    def of(cls, fd: int) -> Channel:
        """The end that another process has handed over as a descriptor; see `detach`."""
        return cls(socket.socket(fileno=fd))

    def detach(self) -> int:
        """The descriptor of this end, to hand over; this object is of no use afterwards."""
        self.closed = True
        return self._socket.detach()

    def fileno(self) -> int:
        """For `select`: readable when a message has come, or the other end is gone."""
        return self._socket.fileno()

    def post(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Send without waiting; what the socket has no room for goes with a later call, or with `flush`.

        Args:
            data: Bytes.
            fds: Descriptors, which this channel closes once they are sent.

        Raises:
            OSError: If the other end is gone, or no descriptor is left.
        """
        self._put(data, fds, owned=True)
        self.flush()

    def send(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Send, waiting until the other end has room; the descriptors stay the caller's.

        Raises:
            OSError: If the other end is gone, or no descriptor is left.
        """
        self._put(data, fds, owned=False)
        while not self.flush():
            _wait(self._socket, selectors.EVENT_WRITE)

    def flush(self) -> bool:
        """Send what still waits, as far as there is room; whether all of it went."""
        while self._out:
            piece = self._out[0]
            try:
                sent = (
                    socket.send_fds(self._socket, [piece.data], piece.fds)
                    if piece.fds
                    else self._socket.send(piece.data)
                )
            except BlockingIOError:
                return False
            if piece.owned:
                close_all(piece.fds)
            self._out.popleft()
            if sent < len(piece.data):
                self._out.appendleft(_Piece(piece.data[sent:], (), False))
        return True

    def messages(self) -> Iterator[Message]:
        """The messages that have come, without waiting for one; see `closed`.

        Raises:
            OSError: With `EMFILE` if this process has no descriptor left for one that was sent.
        """
        while True:
            while (message := self._whole()) is not None:
                yield message
            if self.closed or not self._read():
                return

    def recv(self) -> Message:
        """The next message; waits for it.

        Raises:
            EOFError: If the other end is gone.
        """
        while True:
            for message in self.messages():
                return message
            if self.closed:
                raise EOFError
            _wait(self._socket, selectors.EVENT_READ)

    def close(self) -> None:
        """Close this end, and what was on its way."""
        self._socket.close()
        self.closed = True
        close_all([fd for piece in self._out if piece.owned for fd in piece.fds])
        close_all(self._fds)
        self._out.clear()
        self._fds.clear()
        self._in.clear()

    def _put(self, data: bytes, fds: Sequence[int], owned: bool) -> None:
        in_file = len(data) > _INLINE
        head, body = _HEADER.pack(len(data), len(fds), in_file), b"" if in_file else data
        # Each call that hands descriptors over must carry a byte at least.
        groups = [fds[start : start + _FDS_AT_ONCE] for start in range(0, len(fds), _FDS_AT_ONCE)] or [()]
        if in_file:
            self._out.append(_Piece(head[:1], [file_of(data)], True))
            head = head[1:]
        for group in groups[:-1]:
            self._out.append(_Piece(head[:1], group, owned))
            head = head[1:]
        self._out.append(_Piece(head + body, groups[-1], owned))

    def _whole(self) -> Message | None:
        if len(self._in) < _HEADER.size:
            return None
        size, count, in_file = _HEADER.unpack_from(self._in)
        end = _HEADER.size + (0 if in_file else size)
        if len(self._in) < end:
            return None
        data = bytes(self._in[_HEADER.size : end])
        del self._in[:end]
        if in_file:
            data = contents_of(self._fds.popleft())
        return Message(data, [self._fds.popleft() for _ in range(count)])

    def _read(self) -> bool:
        """Take what the socket holds; False if there is nothing."""
        fds = array("i")
        room = socket.CMSG_SPACE(_FDS_AT_ONCE * fds.itemsize)
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(_READ, room, _CLOEXEC)
        except BlockingIOError:
            return False
        except ConnectionError:
            data, ancillary, flags = b"", [], 0
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        self._fds.extend(fds)
        if flags & socket.MSG_CTRUNC:  # the kernel has dropped those that there was no room for
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        if not _CLOEXEC:
            for fd in fds:
                os.set_inheritable(fd, False)
        self._in += data
        self.closed = not data
        return bool(data)


def file_of(data: bytes) -> int:
    """A descriptor of a file without a name that holds some bytes."""
    with (
        os.fdopen(os.memfd_create("message"), "wb") if hasattr(os, "memfd_create") else tempfile.TemporaryFile() as file
    ):
        file.write(data)
        file.flush()
        return os.dup(file.fileno())


def contents_of(fd: int) -> bytes:
    """What such a file holds; the descriptor is closed."""
    with os.fdopen(fd, "rb") as file:
        file.seek(0)  # the writer's place in it came along
        return file.read()


def close_all(fds: Iterable[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        os.close(fd)


def readable(ends: Iterable[Channel | int], seconds: float | None) -> set[Any]:
    """Those of some channels and descriptors that have something, or whose other end is gone; waits for one."""
    return set(connection.wait(ends, seconds))  # type: ignore[arg-type]


def _wait(end: socket.socket, event: int) -> None:
    with selectors.PollSelector() as selector:  # needs no descriptor of its own
        selector.register(end, event)
        selector.select()
