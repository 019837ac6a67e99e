"""What is a URL, what a row names seen from where its list lies, and what may be shown of either."""

from __future__ import annotations

import pytest

from vjepa_pipe.storage import folder_of, is_remote, join, local_path, name_of, names_file, shown_path


@pytest.mark.parametrize(("folder", "row", "found"), [
    ("/lists", "clips/a.mp4", "/lists/clips/a.mp4"),
    ("/lists", "/b.mp4", "/b.mp4"),
    ("/lists", "s3://other/b.mp4", "s3://other/b.mp4"),
    ("/lists", "file:///c%20d.mp4", "/c d.mp4"),
    ("s3://bucket/lists", "clips/a b#1.mp4", "s3://bucket/lists/clips/a b#1.mp4"),
    ("s3://bucket/lists", "../clips/./a.mp4", "s3://bucket/clips/a.mp4"),
    ("s3://bucket", "a.mp4", "s3://bucket/a.mp4"),
    ("s3://bucket/lists", "/videos/a.mp4", "/videos/a.mp4"),
    ("s3://bucket/lists", "https://host/a.mp4?sig=1", "https://host/a.mp4?sig=1"),
    ("http://host:80/lists", "a b#1?.mp4", "http://host:80/lists/a%20b%231%3F.mp4"),
    ("http://host/lists", "a:b://c.mp4", "http://host/lists/a%3Ab%3A/c.mp4"),
])  # fmt: skip
def test_rows(folder: str, row: str, found: str) -> None:
    assert join(folder, row) == found


@pytest.mark.parametrize(("url", "shown", "folder", "name"), [
    ("s3://key:secret@bucket/a/b.csv", "s3://bucket/a/b.csv", "s3://key:secret@bucket/a", "b.csv"),
    ("https://me:pw@host/a/b.csv?X-Amz-Signature=s#f", "https://host/a/b.csv", "https://me:pw@host/a", "b.csv"),
    ("https://host/a@b.csv", "https://host/a@b.csv", "https://host", "a@b.csv"),
    ("az://box/a.csv?sig=s", "az://box/a.csv", "az://box", "a.csv?sig=s"),
])  # fmt: skip
def test_what_is_shown_of_a_url(url: str, shown: str, folder: str, name: str) -> None:
    assert is_remote(url) and (shown_path(url), folder_of(url), name_of(url)) == (shown, folder, name)


@pytest.mark.parametrize("path", ["a.csv", "/a?b@c.csv", "a:b/c.csv", "C:/a.csv", "file:///a.csv", "://a"])
def test_paths_of_this_machine(path: str) -> None:
    assert not is_remote(path) and shown_path(path) == path
    assert local_path(path) == path.removeprefix("file://")


@pytest.mark.parametrize(("path", "file", "is_it"), [
    ("/data/lists/../a/x.mp4", "/data/a/x.mp4", True),
    ("/data/a/x.mp4", "x.mp4", True),
    ("/data/a/x.mp4", "./a/x.mp4", True),
    ("/data/a/xx.mp4", "x.mp4", False),
    ("s3://bucket/a/x.mp4", "a/x.mp4", True),
    ("https://host/a/x.mp4?signed=1", "https://host/a/x.mp4", True),
    ("https://host/a/x.mp4?signed=1", "s3://host/a/x.mp4", False),
])  # fmt: skip
def test_a_file_by_the_last_parts_of_its_path(path: str, file: str, is_it: bool) -> None:
    assert names_file(path, file) == is_it
