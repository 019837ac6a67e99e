"""Clips of an index at URLs: asked for ahead of time, once, and kept on disk; nothing else differs for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from indexing import index_of
from loading import digests, loader_of, rows_csv, tiny
from storage.range_server import Faults, RangeServer, serving

from vjepa_pipe import ConfigError
from vjepa_pipe.datasets import VideoDataset
from vjepa_pipe.loader.schedule import with_later
from vjepa_pipe.storage import StorageError

AHEAD, NOT_AHEAD = "storage.read_ahead_mb=64", "storage.read_ahead_mb=0"


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, videos_csv: Path) -> Iterator[tuple[RangeServer, Path]]:
    """Serves six good videos as `row0.mp4` to `row5.mp4`, a text, and their list; and their index."""
    folder = tmp_path_factory.mktemp("served")
    rows_csv(folder / "whole.csv", videos_csv, {row: f"row{row}.mp4" for row in range(6)}, rows=6)
    (folder / "row6.mp4").write_text("no video")
    (folder / "rows.csv").write_text("".join(f"row{row}.mp4 {row}\n" for row in range(7)))
    with serving(folder) as running:
        yield running, index_of(VideoDataset(running.url("rows.csv")).sources[0], folder / "index")


@pytest.fixture
def server(indexed: tuple[RangeServer, Path]) -> RangeServer:
    indexed[0].faults = Faults()
    indexed[0].requests.clear()
    return indexed[0]


@pytest.fixture
def remote(indexed: tuple[RangeServer, Path]) -> Callable[..., Any]:
    few = ("storage.retries=0", "storage.timeout_sec=20", f"data.index_dir={indexed[1]}")
    return lambda *more: tiny(indexed[0].url("rows.csv"), *few, *more)


def clips(server: RangeServer) -> list[str]:
    return [path for _, path, _ in list(server.requests) if path != "rows.csv"]


@pytest.mark.parametrize("workers", [
    ["data.num_workers=0"], ["data.num_workers=2"], ["data.num_workers=1", "loader.start_method=spawn"],
    ["data.num_workers=2", "data.repeated_sampling=2", "data.batch_size=4"],
], ids=["here", "fork", "spawn", "repeated"])  # fmt: skip
def test_each_clip_is_one_request(
    server: RangeServer, remote: Callable[..., Any], tmp_path: Path, workers: list[str]
) -> None:
    few = ["loader.iterations_per_epoch=6", *workers]
    local = loader_of(tiny(server.folder / "rows.csv", *few[:1], *few[2:]), tmp_path)
    expected = digests(local)
    loader = loader_of(remote(*few, AHEAD), tmp_path)
    assert digests(loader) == expected
    loader.close()
    assert len(clips(server)) == 12 and "row6.mp4" not in clips(server)


def test_what_comes_next_is_asked_for_before_it_is_read(
    server: RangeServer, remote: Callable[..., Any], tmp_path: Path
) -> None:
    few = ["data.num_workers=1", "loader.prefetch_factor=1", "loader.iterations_per_epoch=12"]
    found = {}
    for setting in (AHEAD, NOT_AHEAD):
        server.requests.clear()
        loader = loader_of(remote(*few, setting), tmp_path)
        batches = iter(loader)
        head = digests(islice(batches, 1))
        if setting == AHEAD:
            until = time.monotonic() + 20
            while len(clips(server)) < 10 and time.monotonic() < until:
                time.sleep(0.01)
        found[setting] = len(clips(server))
        assert head + digests(batches) == digests(loader_of(tiny(server.folder / "rows.csv", *few[2:]), tmp_path))
        loader.close()
        assert len(clips(server)) == 24
    assert found[AHEAD] >= 10 and found[NOT_AHEAD] <= 6


def test_a_pass_that_was_left_changes_nothing(server: RangeServer, remote: Callable[..., Any], tmp_path: Path) -> None:
    few = ["loader.iterations_per_epoch=6"]
    loader = loader_of(remote(*few, "data.num_workers=1", AHEAD), tmp_path)
    server.faults = Faults(delay_sec=0.05)
    next(iter(loader))
    local = loader_of(tiny(server.folder / "rows.csv", *few), tmp_path)
    local.set_epoch(1)
    assert digests(loader) == digests(local)
    loader.close()


def quarantine(folder: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in (folder / "quarantine.jsonl").read_text().splitlines()]
    return {line["path"].rpartition("/")[2]: line["reason"] for line in lines}


def test_bad_samples_are_those_of_clips_that_are_asked_for_when_they_are_read(
    server: RangeServer, remote: Callable[..., Any], tmp_path: Path
) -> None:
    kept = (server.folder / "row2.mp4").read_bytes()
    (server.folder / "row2.mp4").write_bytes(kept + b"\0")
    server.faults = Faults(status=403, only=r"row4\.mp4")
    found = []
    for setting in (AHEAD, NOT_AHEAD):
        few = ["data.num_workers=1", "loader.iterations_per_epoch=10", setting]
        loader = loader_of(remote(*few), tmp_path / setting)
        found.append((digests(loader), quarantine(tmp_path / setting)))
        loader.close()
    (server.folder / "row2.mp4").write_bytes(kept)
    assert found[0] == found[1]
    reasons = found[0][1]
    assert reasons["row2.mp4"].endswith("has changed since it was indexed") and "(403)" in reasons["row4.mp4"]


def test_what_is_kept_is_read_again_unless_it_has_changed(
    server: RangeServer, remote: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vjepa_pipe.storage.storage.CONFIRMED_SEC", 0.0)  # workers know what was indexed just now
    few = ["loader.iterations_per_epoch=6", "storage=cached", f"storage.cache_dir={tmp_path / 'cache'}"]
    expected = digests(loader_of(tiny(server.folder / "rows.csv", *few[:1]), tmp_path))
    for workers in ("data.num_workers=2", "data.num_workers=1"):  # of another run
        sent = server.sent.total()
        loader = loader_of(remote(*few, workers), tmp_path)
        assert digests(loader) == expected
        loader.close()
        sent = server.sent.total() - sent
    listed = (server.folder / "rows.csv").stat().st_size
    assert sent <= listed + 12  # a byte of each clip says that its object is the same
    kept = (server.folder / "row2.mp4").read_bytes()
    (server.folder / "row2.mp4").write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    loader = loader_of(remote(*few, "data.num_workers=1"), tmp_path / "changed")
    assert 2 not in {row for batch in loader for row in batch["row"].tolist()}
    loader.close()
    (server.folder / "row2.mp4").write_bytes(kept)
    assert quarantine(tmp_path / "changed")["row2.mp4"].endswith("has changed since it was indexed")


def test_a_store_that_is_gone_ends_the_run_at_a_place_to_go_on_from(
    server: RangeServer, remote: Callable[..., Any], tmp_path: Path
) -> None:
    few = ["loader.iterations_per_epoch=28"]
    expected = digests(loader_of(tiny(server.folder / "rows.csv", *few), tmp_path))
    loader = loader_of(remote(*few, "data.num_workers=1", AHEAD), tmp_path)
    batches = iter(loader)
    head = digests(islice(batches, 2))
    server.faults = Faults(status=503)
    with pytest.raises(StorageError, match="cannot be read: it answers 503"):
        for batch in batches:
            head += digests([batch])
    server.faults = Faults()
    again = loader_of(remote(*few, "data.num_workers=2", AHEAD), tmp_path)
    again.load_state_dict(loader.state_dict())
    assert 2 <= len(head) < 28 and head + digests(again) == expected
    again.close()


def test_the_index_may_be_at_a_url(server: RangeServer, tmp_path: Path) -> None:
    few = ["storage.retries=0", "storage.timeout_sec=20", "loader.iterations_per_epoch=4"]
    expected = digests(loader_of(tiny(server.folder / "rows.csv", *few), tmp_path))
    rows = server.url("rows.csv")
    for workers in (0, 2):
        there = f"data.index_dir={rows.removesuffix('rows.csv')}index/"
        assert digests(loader_of(tiny(rows, *few, there, f"data.num_workers={workers}"), tmp_path)) == expected
    assert "row6.mp4" not in clips(server)  # it is bad in the index
    with pytest.raises(ConfigError, match=r"data.index_dir: http://\S+/none/rows.parquet does not exist; make it: "):
        loader_of(tiny(rows, *few, f"data.index_dir={rows.removesuffix('rows.csv')}none"), tmp_path)
    server.faults = Faults(status=403, only=r"index/rows.parquet")
    with pytest.raises(ConfigError, match=r"data.index_dir: http://\S+/index/rows.parquet cannot be read: .*403"):
        loader_of(tiny(rows, *few, there), tmp_path)


def test_each_batch_comes_with_the_keys_of_later_ones() -> None:
    batches: Any = [[n] for n in range(7)]
    assert [found[1:] for found in with_later(enumerate(batches), 2, 2)] == [
        ([0], [2, 4]), ([1], [3, 5]), ([2], [4, 6]), ([3], [5]), ([4], [6]), ([5], []), ([6], []),
    ]  # fmt: skip
