"""Messages with their descriptors: none waits for the other end, none is torn, none is lost in silence."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
import threading
from pathlib import Path

import pytest

from vjepa_pipe.loader.channel import Channel


@pytest.fixture
def ends():
    ours, theirs = Channel.pair()
    yield ours, theirs
    ours.close()
    theirs.close()


def open_fds() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def a_file(text: bytes) -> int:
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.flush()
        return os.dup(file.fileno())


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 3_000_000])
@pytest.mark.parametrize("files", [0, 1, 2, 251, 600])
def test_bytes_and_descriptors_come_together(ends, size: int, files: int):
    ours, theirs = ends
    before = open_fds()
    data = os.urandom(size)
    ours.post(data, [a_file(str(i).encode()) for i in range(files)])
    ours.post(b"next")
    (found, fds), (after, none) = list(theirs.messages())
    assert (found, after, none) == (data, b"next", [])
    assert [os.pread(fd, 10, 0) for fd in fds] == [str(i).encode() for i in range(files)]
    assert not any(os.get_inheritable(fd) for fd in fds)
    for fd in fds:
        os.close(fd)
    assert open_fds() == before  # those that were sent are closed here


def test_descriptors_given_to_send_stay_open(ends):
    ours, theirs = ends
    fd = a_file(b"kept")
    ours.send(b"", [fd])
    os.close(theirs.recv().fds[0])
    assert os.pread(fd, 10, 0) == b"kept"
    os.close(fd)


def test_both_ends_can_post_without_end(ends):
    """Nobody reads meanwhile: small ones stay here when the socket is full, large ones take no room in it."""
    ours, theirs = ends
    sent = [bytes([i % 256]) * (10_000 if i % 2 else 2_000_000 if i % 100 == 0 else 10) for i in range(400)]
    for end in ends:
        for data in sent:
            end.post(data)
    for end, other in ((ours, theirs), (theirs, ours)):
        found = []
        while len(found) < len(sent):
            found.extend(data for data, _ in end.messages())
            other.flush()
        assert found == sent


def test_half_a_message_keeps_nobody_waiting(ends):
    ours, theirs = ends
    os.write(ours.fileno(), b"\0\0\0")
    assert list(theirs.messages()) == []
    assert not theirs.closed
    ours.close()
    assert list(theirs.messages()) == []
    assert theirs.closed


def test_what_was_sent_before_the_end_is_received(ends):
    ours, theirs = ends
    ours.post(b"last")
    ours.close()
    assert theirs.recv().data == b"last"
    with pytest.raises(EOFError):
        theirs.recv()
    with pytest.raises(OSError):
        theirs.post(b"nobody")


def test_receiving_waits_for_a_message(ends):
    ours, theirs = ends
    timer = threading.Timer(0.1, ours.post, [b"late"])
    timer.start()
    assert theirs.recv().data == b"late"
    timer.join()


def test_no_descriptor_left_is_said(ends):
    ours, theirs = ends
    ours.post(b"", [a_file(b"") for _ in range(20)])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_fds() + 5, hard))
    try:
        with pytest.raises(OSError) as error:
            list(theirs.messages())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert error.value.errno == errno.EMFILE
