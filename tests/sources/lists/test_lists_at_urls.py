"""Annotation files at URLs: the rows of the same file on this machine, parsed again when the object has changed."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from storage.range_server import Faults, RangeServer, serving

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.sources import Rows, SourceError, read_rows
from vjepa_pipe.storage import Storage, StorageError

LISTS = {
    "spaces.csv": b"a b.mp4 1\nc/d.mp4 2\n",
    "colons.txt": b"a b.mp4::jumps high\nc/d.mp4::runs\n",
    "header.csv": b"video_path,label\na b.mp4,1\nc/d.mp4,2\n",
    "commas.csv.gz": gzip.compress(b"a b.mp4,1\nc/d.mp4,2\n"),
}
BIG = 40_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    (tmp_path / "served" / "lists").mkdir(parents=True)
    with serving(tmp_path / "served") as running:
        yield running


def write_big(server: RangeServer, label: int, query: str = "") -> None:
    text = "".join(f"http://host/{i:012d}.mp4{query} {label}\n" for i in range(BIG))
    (server.folder / "lists" / "big.csv").write_text(text)


def contents(rows: Rows) -> list[tuple[str, int | str]]:
    return [(rows.path(row), rows.label(row)) for row in range(len(rows))]


@pytest.mark.parametrize("name", [*LISTS, "paths.npy"])
def test_every_layout(server: RangeServer, name: str) -> None:
    file = server.folder / "lists" / name
    if name in LISTS:
        file.write_bytes(LISTS[name])
    else:
        np.save(file, np.array(["a b.mp4", "c/d.mp4"]))
    there, here = read_rows(server.url(f"lists/{name}", "sig=SECRET")), read_rows(file)
    assert there.fingerprint() == here.fingerprint() and there.name == here.name
    labels = [here.label(0), here.label(1)]
    assert contents(there) == list(
        zip([server.url("lists/a%20b.mp4"), server.url("lists/c/d.mp4")], labels, strict=True)
    )


def test_rows_of_a_local_list_may_be_urls(tmp_path: Path) -> None:
    (tmp_path / "mixed.csv").write_text("s3://bucket/a.mp4 1\nb.mp4 2\n/c.mp4 3\n")
    (tmp_path / "b.mp4").touch()
    rows = read_rows(tmp_path / "mixed.csv")
    assert [rows.path(row) for row in range(3)] == ["s3://bucket/a.mp4", str(tmp_path / "b.mp4"), "/c.mp4"]
    assert rows.has_urls and not Rows.from_lists("r", ["a:b", "://x", "file:///d.mp4"], [0, 1, 2]).has_urls
    assert read_rows(f"file://{tmp_path}/mixed.csv").path(1) == str(tmp_path / "b.mp4")


def test_what_reads_the_rows_is_asked_for_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.csv").write_text("a.mp4 0\ns3://bucket/a.mp4 1\n")
    monkeypatch.setattr("vjepa_pipe.storage.process.find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UserError, match=r"needs obstore: pip install 'vjepa_pipe\[remote\]'"):
        read_rows(tmp_path / "rows.csv")
    (tmp_path / "rows.csv").write_text("htps://host/a.mp4 1\n")
    with pytest.raises(UserError, match="htps:// is no scheme that is known"):
        read_rows(tmp_path / "rows.csv")


def test_a_kept_table_is_used_until_the_object_changes(
    server: RangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_big(server, 3)
    first = read_rows(server.url("lists/big.csv", "sig=1"), cache_folder=tmp_path / "cache")
    server.requests.clear()
    with monkeypatch.context() as patched:
        patched.setattr("vjepa_pipe.sources.lists.annotations._read_text", lambda _: pytest.fail("parsed again"))
        again = read_rows(server.url("lists/big.csv", "sig=2"), cache_folder=tmp_path / "cache")
    assert (again.path(BIG - 1), again.label(0)) == (first.path(BIG - 1), 3)
    assert len(server.requests) == 1
    write_big(server, 4)
    assert read_rows(server.url("lists/big.csv"), cache_folder=tmp_path / "cache").label(0) == 4


def test_rows_that_may_hold_credentials_are_not_kept(server: RangeServer, tmp_path: Path) -> None:
    write_big(server, 3, "?X-Amz-Signature=SECRET")
    rows = read_rows(server.url("lists/big.csv"), cache_folder=tmp_path / "cache")
    assert rows.path(0).endswith("?X-Amz-Signature=SECRET") and not list((tmp_path).glob("cache/**/*.npy"))


@pytest.mark.parametrize(("content", "words"), [
    (None, "there is no such object"),
    (b"", "is empty"),
    (b"a.mp4 1\nb.mp4\n", "line 2 has no label: expected `path label`: b.mp4"),
    (b"\xff\xfe", "line 1 is not UTF-8 text: byte 1 is 0xff"),
])  # fmt: skip
def test_lists_that_cannot_be_used(server: RangeServer, content: bytes | None, words: str) -> None:
    if content is not None:
        (server.folder / "lists" / "bad.csv").write_bytes(content)
    with pytest.raises(SourceError) as error:
        read_rows(server.url("lists/bad.csv", "sig=SECRET"))
    assert str(error.value) == f"{server.url('lists/bad.csv')}: {words}"


def test_a_list_that_changes_while_it_is_read(server: RangeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    write_big(server, 3)
    storage: Any = Storage(StorageConfig(timeout_sec=5))
    file = storage.open(server.url("lists/big.csv"))
    write_big(server, 4)
    monkeypatch.setattr(Storage, "open", lambda *_: file)
    with pytest.raises(SourceError, match=r"big\.csv: cannot be read: has changed while it was read"):
        read_rows(server.url("lists/big.csv"), storage=storage)


def test_a_store_that_does_not_answer(server: RangeServer) -> None:
    server.faults = Faults(status=500)
    with pytest.raises(StorageError, match="cannot be read: it answers 500"):
        read_rows(server.url("lists/a.csv"), storage=Storage(StorageConfig(retries=0)))
