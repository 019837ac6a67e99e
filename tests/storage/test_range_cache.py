"""Ranges kept on disk: the bytes that were put there, within a size, whoever is killed; of changed objects none."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from storage.range_server import RangeServer

from vjepa_pipe.config import ConfigError
from vjepa_pipe.config.storage import CachedStorageConfig
from vjepa_pipe.storage import Facts, ObjectChanged, Storage, range_cache
from vjepa_pipe.storage.range_cache import RangeCache

FACTS = Facts(100_000, '"1"')
CONTENT = np.random.default_rng(0).integers(0, 256, FACTS.size, np.uint8).tobytes()
URL = "https://user:SECRET@host/videos/a.mp4?sig=SECRET"
MB = 10**6


def put(cache: RangeCache, start: int, end: int, url: str = URL) -> None:
    cache.put(url, FACTS, start, CONTENT[start:end])


def get(cache: RangeCache, start: int, end: int, url: str = URL, known: Facts = FACTS) -> tuple[bytes, bytes]:
    return cache.get(url, known, start, end)


def held(folder: Path) -> int:
    """Bytes that the files take, whole or not."""
    return sum(-(-file.stat().st_size // 4096) * 4096 for file in folder.glob("*/*"))


@pytest.fixture
def cache(tmp_path: Path) -> RangeCache:
    made = RangeCache(tmp_path / "ranges", MB)
    made.require()
    return made


@pytest.mark.parametrize(("kept", "wanted", "head", "tail"), [
    ([], (10, 20), (10, 10), (20, 20)),
    ([(10, 20)], (10, 20), (10, 20), (20, 20)),
    ([(0, 100)], (10, 20), (10, 20), (20, 20)),
    ([(0, 15), (15, 30)], (10, 20), (10, 20), (20, 20)),
    ([(0, 15)], (10, 20), (10, 15), (20, 20)),
    ([(15, 30)], (10, 20), (10, 10), (15, 20)),
    ([(5, 12), (8, 14), (16, 18), (17, 40)], (10, 20), (10, 14), (16, 20)),
    ([(12, 14)], (10, 20), (10, 10), (20, 20)),  # one request is made for all that is missing
    ([(30, 40), (0, 10)], (10, 20), (10, 10), (20, 20)),
])  # fmt: skip
def test_what_is_kept_of_a_range(
    cache: RangeCache, kept: list[tuple[int, int]], wanted: tuple[int, int], head: tuple[int, int], tail
) -> None:
    for start, end in kept:
        put(cache, start, end)
    assert get(cache, *wanted) == (CONTENT[slice(*head)], CONTENT[slice(*tail)])


def test_other_objects_and_versions_are_not_mixed_up(cache: RangeCache, tmp_path: Path) -> None:
    put(cache, 0, 100)
    for url, known in ((URL[:-1], FACTS), (URL, Facts(FACTS.size, '"2"')), (URL, Facts(FACTS.size - 1, '"1"'))):
        assert get(cache, 0, 100, url, known) == (b"", b"")
    names = " ".join(str(file) for file in (tmp_path / "ranges").rglob("*"))
    assert "SECRET" not in names and "a.mp4" not in names and "host" not in names


def test_what_was_used_least_recently_goes_first_and_the_size_is_never_passed(
    cache: RangeCache, tmp_path: Path
) -> None:
    most = 0
    put(cache, 0, 1000, "s3://a")
    put(cache, 1000, 2000, "s3://a")
    for number in range(60):
        put(cache, 0, 30_000, f"s3://b/{number}")
        assert len(get(cache, 0, 1000, "s3://a")[0]) == 1000
        most = max(most, held(tmp_path / "ranges"))
    assert 0.85 * MB < most <= MB
    assert get(cache, 1000, 2000, "s3://a") == get(cache, 0, 30_000, "s3://b/1") == (b"", b"")
    assert len(get(cache, 0, 30_000, "s3://b/59")[0]) == 30_000
    small = RangeCache(tmp_path / "ranges", MB // 4)  # another run has another limit
    put(small, 0, 30_000, "s3://c/1")
    assert held(tmp_path / "ranges") <= MB // 4 and get(small, 0, 30_000, "s3://c/1")[0]
    put(RangeCache(tmp_path / "ranges", 30_000), 0, 30_000, "s3://c/2")  # larger than all, with its checksum
    assert get(small, 0, 30_000, "s3://c/1")[0] and not get(small, 0, 30_000, "s3://c/2")[0]


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours is run after it but what closes the lock, as the kernel does."""


@pytest.mark.parametrize("place", ["lock", "note", "folder", "write", "rename"])
def test_a_writer_that_is_killed_leaves_nothing_that_is_read(
    cache: RangeCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    folder = tmp_path / "ranges"

    def killed(*_: object, **__: object) -> None:
        raise Killed

    def killed_half_way(draft: Path, mode: str) -> None:
        os.close(os.open(draft, os.O_CREAT))
        raise Killed

    for number in range(3):
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(*{
                "lock": (RangeCache, "_write", killed),
                "note": (os, "pread", killed),
                "folder": (range_cache, "draft_of", killed),
                "write": (Path, "open", killed_half_way),
                "rename": (Path, "rename", killed),
            }[place])  # fmt: skip
            put(cache, 0, 90_000, f"s3://killed/{number}")
        assert get(cache, 0, 90_000, f"s3://killed/{number}") == (b"", b"")
    for number in range(30):
        put(cache, 0, 90_000, f"s3://b/{number}")
        assert held(folder) <= MB
    assert not list(folder.glob("*/.*"))  # what was begun has gone when room was made
    assert held(folder) > 0.75 * MB and get(cache, 0, 90_000, "s3://b/29")[0] == CONTENT[:90_000]


def test_a_sum_that_is_lost_is_counted_again(cache: RangeCache, tmp_path: Path) -> None:
    for number in range(10):
        put(cache, 0, 90_000, f"s3://b/{number}")
    for damage in (b"", b"nonsense", b"0000000000000000-100"):
        (tmp_path / "ranges" / "size").write_bytes(damage)
        put(cache, 0, 90_000, f"s3://c/{damage!r}")
        assert held(tmp_path / "ranges") <= MB


def write_many(folder: Path, name: str) -> None:
    mine = RangeCache(folder, MB)
    for number in range(200):
        put(mine, 0, 30_000, f"s3://{name}/{number}")
        for other in ("a", "b", "c"):
            head, tail = get(mine, 0, 30_000, f"s3://{other}/{number}")
            assert head + tail in (b"", CONTENT[:30_000])


def test_processes_write_at_once_and_one_is_killed(cache: RangeCache, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=write_many, args=(tmp_path / "ranges", name)) for name in ("a", "b", "c")]
    for process in processes:
        process.start()
    until = time.monotonic() + 20
    while not any((tmp_path / "ranges").glob("*/*")) and time.monotonic() < until:
        time.sleep(0.001)
    os.kill(processes[0].pid or 0, signal.SIGKILL)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [-signal.SIGKILL, 0, 0]
    put(cache, 0, 30_000, "s3://last/1")
    assert get(cache, 0, 30_000, "s3://last/1")[0] and held(tmp_path / "ranges") <= MB + 32_768  # a file half written


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:50] + b"!" + data[51:], lambda _: b""])
def test_a_damaged_file_is_not_read(cache: RangeCache, tmp_path: Path, damage) -> None:
    put(cache, 0, 100)
    (file,) = (tmp_path / "ranges").glob("*/0-100")
    file.write_bytes(damage(file.read_bytes()))
    assert get(cache, 0, 100) == (b"", b"") and not file.exists()


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("mine/0-100", "mine/.notes", "thesis.tex"):
        (tmp_path / name).write_text("mine")
    cache = RangeCache(tmp_path, 100_000)
    for number in range(9):
        put(cache, 0, 30_000, f"s3://b/{number}")
    assert all((tmp_path / name).exists() for name in ("mine/0-100", "mine/.notes", "thesis.tex"))


def test_a_full_disk_is_said_once(
    cache: RangeCache, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(Path, "open", full)
        for pause in (60.0, 0.0, 0.0):
            patched.setattr(range_cache, "PAUSE_SEC", pause)
            put(cache, 0, 100)
            cache._paused_until *= pause
    assert [record.message for record in caplog.records] == [
        f"storage.cache_dir: {tmp_path / 'ranges'}: ranges are not kept now: No space left on device"
    ]
    put(cache, 0, 100)
    assert get(cache, 0, 100)[0] == CONTENT[:100]  # there is room again


def test_a_folder_that_cannot_be_written_is_an_error_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"storage\.cache_dir: .*/file/x cannot be written: Not a directory"):
        Storage(CachedStorageConfig(cache_dir=str(tmp_path / "file" / "x"))).require_cache()


def test_without_a_home_folder_one_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("vjepa_pipe.config.storage.cache_dir", homeless)
    with pytest.raises(ConfigError, match=r"storage\.cache_dir must be set: there is no home folder"):
        Storage(CachedStorageConfig()).require_cache()


def test_a_lock_that_others_hold_keeps_nobody_waiting(cache: RangeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_cache, "LOCK_WAITS", (0.001,))
    with cache._locked() as lock:
        assert lock is not None
        put(cache, 0, 100)
        assert get(cache, 0, 100) == (b"", b"")
    put(cache, 0, 100)
    assert get(cache, 0, 100)[0]


@pytest.fixture
def cached(server: RangeServer, tmp_path: Path) -> Storage:
    (server.folder / "a.mp4").write_bytes(CONTENT)
    return Storage(CachedStorageConfig(cache_dir=str(tmp_path / "ranges"), timeout_sec=2, retries=0))


def test_what_was_read_is_read_from_disk(server: RangeServer, cached: Storage) -> None:
    cached.require_cache()
    url = server.url("a.mp4")
    known = cached.facts(url)
    for start, end, asked in ((1000, 5000, "1000-4999"), (3000, 8000, "5000-7999"), (500, 8000, "500-999")):
        assert cached.read_range(url, start, end, known).data == CONTENT[start:end]
        assert server.requests[-1][2] == f"bytes={asked}"
    server.requests.clear()
    assert cached.read_range(url, 600, 7000, known).data == CONTENT[600:7000] and not server.requests


def test_an_object_that_has_changed_is_not_read_from_disk(
    server: RangeServer, cached: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached.require_cache()
    url = server.url("a.mp4")
    known = cached.facts(url)
    monkeypatch.setattr("vjepa_pipe.storage.storage.CONFIRMED_SEC", 0.0)
    assert cached.read_range(url, 0, 9000, known).data == CONTENT[:9000]
    assert cached.read_range(url, 10, 900, known).data == CONTENT[10:900]
    assert server.requests[-1][2] == "bytes=10-10"  # whether it is the same
    (server.folder / "a.mp4").write_bytes(CONTENT[::-1])
    with pytest.raises(ObjectChanged):
        cached.read_range(url, 10, 900, known)
    assert cached.read_range(url, 0, 900, cached.facts(url)).data == CONTENT[::-1][:900]
