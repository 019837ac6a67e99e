"""Objects over HTTP: as few requests as reading needs, every fault named, transient ones tried again, never a hang."""

from __future__ import annotations

import errno
import gzip
import io
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from storage.range_server import Faults, RangeServer, serving

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.storage import ObjectChanged, ObjectError, Storage, StorageError, pace, process
from vjepa_pipe.storage.remote_file import BLOCK_BYTES, KEPT

BLOCKS = 11
CONTENT = bytes(range(251)) * (BLOCKS * BLOCK_BYTES // 251)


@pytest.fixture
def url(server: RangeServer) -> str:
    (server.folder / "a.bin").write_bytes(CONTENT)
    return server.url("a.bin", "sig=SECRET")


def blocks(asked: list[str]) -> list[tuple[int, int]]:
    """The first block and the number of blocks of each `Range`."""
    spans = [tuple(map(int, text.removeprefix("bytes=").split("-"))) for text in asked]
    return [(start // BLOCK_BYTES, -(-(end + 1 - start) // BLOCK_BYTES)) for start, end in spans]


def test_reading_on_asks_for_more_at_once_and_nothing_twice(server: RangeServer, url: str, storage: Storage) -> None:
    file = storage.open(url)
    assert (file.facts.size, file.name, str(file)) == (len(CONTENT), "a.bin", server.url("a.bin"))
    assert file.stream().read() == CONTENT
    assert blocks(server.asked_for("a.bin")) == [(0, 1), (1, 4), (5, 4), (9, 2)]
    assert server.sent["a.bin"] == len(CONTENT)
    assert {method for method, _, _ in server.requests} == {"GET"}  # nothing is asked about it but the content


def test_reading_here_and_there_asks_for_what_is_wanted(server: RangeServer, url: str, storage: Storage) -> None:
    stream = storage.open(url).stream()
    for place in (8 * BLOCK_BYTES - 3, 8 * BLOCK_BYTES, 3 * BLOCK_BYTES, 10):
        stream.seek(place)
        assert stream.read(7) == CONTENT[place : place + 7] and stream.tell() == place + 7
    stream.seek(-5, io.SEEK_END)
    assert stream.read(99) == CONTENT[-5:] and stream.read(1) == b""
    assert blocks(server.asked_for("a.bin")) == [(0, 1), (7, 2), (3, 1), (10, 1)]
    with pytest.raises(ValueError, match="must be >= 0"):
        stream.seek(-1)


def test_the_blocks_that_are_kept_are_few(server: RangeServer, storage: Storage) -> None:
    (server.folder / "long.bin").write_bytes(bytes((KEPT + 8) * BLOCK_BYTES))
    file = storage.open(server.url("long.bin"))
    assert len(file.stream().read()) == file.facts.size and len(file._blocks) <= KEPT


def test_names_that_urls_quote_and_files_without_bytes(server: RangeServer, storage: Storage) -> None:
    (server.folder / "a b#?é.bin").write_bytes(b"here")
    (server.folder / "empty").touch()
    assert storage.open(server.url("a%20b%23%3F%C3%A9.bin")).stream().read() == b"here"
    assert storage.open(server.url("empty")).stream().read() == b""


def test_libraries_read_a_stream(server: RangeServer, storage: Storage) -> None:
    (server.folder / "a.gz").write_bytes(gzip.compress(CONTENT))
    with gzip.open(storage.open(server.url("a.gz")).stream()) as whole:  # type: ignore[arg-type]
        assert whole.read() == CONTENT
    h5py = pytest.importorskip("h5py")
    with h5py.File(server.folder / "a.h5", "w") as file:
        file["numbers"] = np.arange(100_000)
    with h5py.File(storage.open(server.url("a.h5")).stream(), "r") as file:
        assert np.array_equal(file["numbers"][90_000:], np.arange(90_000, 100_000))


@pytest.mark.parametrize(("fault", "reason"), [
    (Faults(status=404), "there is no such object"),
    (Faults(status=403), "access is denied (403)"),
    (Faults(status=401), "access is denied (401)"),
    (Faults(status=400), "the request is refused (400)"),
    (Faults(status=301), "its bucket is in another region: set storage.region"),
    (Faults(no_ranges=True), "its server gives no byte ranges"),
    (Faults(statuses=[416]), "it ends before the bytes that were asked for"),
])  # fmt: skip
def test_faults_of_an_object_are_not_tried_again(
    server: RangeServer, url: str, storage: Storage, fault: Faults, reason: str
) -> None:
    server.faults = fault
    with pytest.raises(ObjectError) as error:
        storage.open(url)
    assert str(error.value) == f"{server.url('a.bin')}: {reason}" and error.value.errno == errno.EIO
    assert pickle.loads(pickle.dumps(error.value)).reason == error.value.reason == reason
    assert len(server.asked_for("a.bin")) - server.asked_for("a.bin").count("") == 1


@pytest.mark.parametrize("fault", [
    Faults(statuses=[503]), Faults(statuses=[500]), Faults(statuses=[429]), Faults(statuses=[0]),
    Faults(cut=1000, once=True), Faults(wrong_range=True, once=True),
], ids=["503", "500", "429", "reset", "cut", "short"])  # fmt: skip
def test_what_may_pass_is_tried_again(server: RangeServer, url: str, storage: Storage, fault: Faults) -> None:
    server.faults = fault
    assert storage.open(url).read_at(0, 1000) == CONTENT[:1000]
    assert len(server.requests) == 2


@pytest.mark.parametrize(("fault", "reason"), [
    (Faults(status=503), "it answers 503"),
    (Faults(cut=1000), "the connection was cut"),
    (Faults(cut=1000, stall_sec=2), "no answer within 1 s"),
    (Faults(wrong_range=True), f"it sent {BLOCK_BYTES // 2} bytes of {BLOCK_BYTES}"),
    (Faults(delay_sec=2), "no answer within 1 s"),
], ids=["503", "cut", "stalled", "short", "slow"])  # fmt: skip
def test_what_does_not_pass_is_the_objects_fault_while_its_store_answers_others(
    server: RangeServer, url: str, storage: Storage, fault: Faults, reason: str
) -> None:
    fault.only, server.faults = "a.bin", fault
    with pytest.raises(ObjectError) as error:
        storage.open(url)
    assert error.value.reason == f"{reason}, 2 times, while its store answers"
    assert len(server.asked_for("a.bin")) == 2


@pytest.mark.parametrize(("fault", "reason"), [
    (Faults(status=503), "it answers 503"),
    (Faults(delay_sec=2), "no answer within 1 s"),
], ids=["503", "slow"])  # fmt: skip
def test_it_is_the_stores_fault_when_nothing_is_answered(
    server: RangeServer, url: str, storage: Storage, fault: Faults, reason: str
) -> None:
    server.faults = fault
    with pytest.raises(StorageError) as error:
        storage.open(url)
    assert str(error.value) == f"{server.url().rstrip('/')} cannot be read: {reason}"
    assert not isinstance(error.value, OSError)


def test_stores_that_are_not_there(tmp_path: Path, storage: Storage) -> None:
    with serving(tmp_path) as closed:
        gone = closed.url("a.bin")
    for url, reason in ((gone, "the connection is refused"), ("http://no.host.invalid/a", "its name cannot be resol")):
        with pytest.raises(StorageError, match=reason):
            storage.open(url)


@pytest.mark.parametrize("url", [
    "http:///a.mp4", "http://127.0.0.1:99999/a.mp4", "http://127.0.0.1:x/a.mp4", "http://[::1/a.mp4",
    "http://a b/a.mp4", "s3:///a.mp4", "s3://a ü/a.mp4", "gs:///a.mp4", "az:///a.mp4",
])  # fmt: skip
def test_a_url_that_names_no_server_or_bucket_is_a_fault_of_its_own(url: str, storage: Storage) -> None:
    with pytest.raises(ObjectError, match="its server, port or bucket has no name that one can have"):
        storage.open(url)


@pytest.mark.parametrize("fault", [Faults(), Faults(no_etag=True)], ids=["ETag", "time of change"])
@pytest.mark.parametrize("size", [len(CONTENT), 1000])
def test_an_object_that_changes_is_not_read_on(
    server: RangeServer, url: str, storage: Storage, fault: Faults, size: int
) -> None:
    server.faults = fault
    os.utime(server.folder / "a.bin", (0, 0))
    file = storage.open(url)
    (server.folder / "a.bin").write_bytes(bytes(size))
    with pytest.raises(ObjectChanged, match=r"a\.bin: has changed while it was read"):
        file.read_at(6 * BLOCK_BYTES, 100)


def test_a_store_that_hangs_without_end_is_given_up(
    server: RangeServer, url: str, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert storage.open(url)
    child = process._child
    assert child is not None
    os.kill(child.process.pid, signal.SIGSTOP)  # as if a library did not keep its time-out
    monkeypatch.setattr(process, "MORE_SEC", 0.0)
    with pytest.raises((ObjectError, StorageError), match=r"no answer within 0\.6 s"):
        Storage(StorageConfig(timeout_sec=0.3, retries=0)).open(url)
    assert child.process.returncode is not None
    monkeypatch.undo()
    assert storage.open(url)


def test_requests_of_a_process_that_may_fork_are_made_by_a_child_of_its_own(server: RangeServer, url: str) -> None:
    storage = Storage(StorageConfig(timeout_sec=5))
    ours = storage.open(url)
    for direct in (False, True):
        pid = os.fork()
        if pid == 0:
            ours_goes_on = ours.read_at(5 * BLOCK_BYTES, 10) == CONTENT[5 * BLOCK_BYTES :][:10]
            if direct:
                process.never_forks()
            whole = storage.open(url).stream().read() == CONTENT
            process._end_child()
            os._exit(0 if ours_goes_on and whole else 1)
        deadline = time.monotonic() + 30
        while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.02)
        if ended == (0, 0):
            os.kill(pid, signal.SIGKILL)
        assert ended == (pid, 0)
    assert storage.open(url)


def test_the_child_has_the_environment_of_its_parent(
    server: RangeServer, url: str, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.open(url)
    first = process._child
    monkeypatch.setenv("AWS_PROFILE", "another")
    storage.open(url)
    assert process._child is not first and process._child is not None
    assert process._child.environment["AWS_PROFILE"] == "another"


def test_a_limit_of_bytes_keeps_requests_waiting(
    server: RangeServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(pace.time, "sleep", slept.append)
    monkeypatch.setattr(pace.time, "monotonic", lambda: 100.0)
    storage = Storage(StorageConfig(bytes_per_second=2 * BLOCK_BYTES))
    assert storage.open(url).stream().read() == CONTENT
    requests = blocks(server.asked_for("a.bin"))
    assert [round(wait, 3) for wait in slept] == [sum(n for _, n in requests[:i]) / 2 for i in range(len(requests))]


def test_schemes_of_others(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="htp:// is no scheme that is known"):
        storage.open("htp://a/b")
    monkeypatch.setattr(process, "find_spec", lambda _: None)
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    with pytest.raises(UserError, match=r"needs obstore: pip install 'vjepa_pipe\[remote\]'"):
        storage.open("s3://bucket/a")


MEMORY = {"memory://box/dir/a.bin": CONTENT, "memory://box/dir/b.bin": b"b", "memory://box/empty": b""}


@pytest.fixture
def memory() -> None:
    fsspec = pytest.importorskip("fsspec")
    for url, content in MEMORY.items():
        fsspec.filesystem("memory").pipe(url, content)


def test_fsspec_reads_what_obstore_does_not(memory: None, storage: Storage) -> None:
    for url, content in MEMORY.items():
        file = storage.open(url)
        assert file.stream().read() == content and file.facts == storage.facts(url)
    assert [(one.url, one.size) for one in storage.list_below("memory://box/dir")] == [
        ("memory://box/dir/a.bin", len(CONTENT)), ("memory://box/dir/b.bin", 1),
    ]  # fmt: skip
    with pytest.raises(ObjectError, match="memory://box/dir: not a file but a folder"):
        storage.open("memory://box/dir")
    with pytest.raises(ObjectError, match="memory://box/none: there is no such object"):
        storage.open("memory://box/none")
    file = storage.open("memory://box/dir/a.bin")
    __import__("fsspec").filesystem("memory").pipe("memory://box/dir/a.bin", b"another")
    with pytest.raises(ObjectChanged):
        file.read_at(5 * BLOCK_BYTES, 1)


@pytest.mark.parametrize(("raised", "kind", "words"), [
    (ConnectionError, StorageError, "memory://box cannot be read: ConnectionError from its library"),
    (PermissionError, ObjectError, "memory://box/a: access is denied"),
])  # fmt: skip
def test_faults_of_fsspec(
    memory: None, storage: Storage, monkeypatch: pytest.MonkeyPatch, raised: type, kind: type, words: str
) -> None:
    def info(*_: object, **__: object) -> Callable[..., None]:
        raise raised("SECRET")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.info", info)
    with pytest.raises(kind) as error:
        storage.open("memory://box/a")
    assert str(error.value) == words


def test_an_obstore_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UserError, match=r"this experiment needs obstore: pip install 'vjepa_pipe\[remote\]' \("):
        process._operation("read")
