"""S3, as moto's server answers it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from vjepa_pipe import RobotDataset
from vjepa_pipe.config import RobotDataConfig, RoboticsConfig
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.sources import SourceError, read_rows
from vjepa_pipe.storage import ObjectChanged, ObjectError, Storage, StorageError
from vjepa_pipe.storage.remote_file import BLOCK_BYTES
from vjepa_pipe.synthetic import write_synthetic_droid, write_synthetic_lerobot

AS_LOCAL = "expected FOLDER/CLASS/FILE; data=folder reads folders without classes"
CONTENT = bytes(range(251)) * (3 * BLOCK_BYTES // 251)


class Bucket(NamedTuple):
    """A bucket called `videos`.

    Attributes:
        endpoint: The address of its store.
        objects: moto's own account of it.
    """

    endpoint: str
    objects: Any

    def put(self, name: str, content: bytes) -> None:
        self.objects.put_object("videos", name, content)

    def storage(self, **settings: Any) -> Storage:
        return Storage(StorageConfig(endpoint=self.endpoint, timeout_sec=10, retries=0, **settings))


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    server = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[server]'")
    from moto.s3.models import s3_backends

    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    objects = s3_backends["123456789012"]["aws"]
    objects.create_bucket("videos", "us-east-1")
    found = Bucket(f"http://{host}:{port}", objects)
    for name in ("lists/a b+c.bin", "lists/a.bin"):
        found.put(name, CONTENT)
    found.put("lists/empty", b"")
    found.put("lists/train.csv", b"clips/a.mp4 1\n../b.mp4 2\ns3://other/c.mp4 3\n")
    yield found
    running.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


def test_objects(bucket: Bucket) -> None:
    storage = bucket.storage()
    for name in ("a b+c.bin", "a.bin"):
        assert storage.open(f"s3://videos/lists/{name}").stream().read() == CONTENT
    assert storage.open("s3://videos/lists/empty").facts.size == 0
    listed = storage.list_below("s3://videos/lists")
    assert [one.url.rpartition("/")[2] for one in listed] == ["a b+c.bin", "a.bin", "empty", "train.csv"]
    assert listed[1] == ("s3://videos/lists/a.bin", len(CONTENT))
    assert len(storage.list_below("s3://videos/lists", most=1)) == 1


@pytest.mark.parametrize(("url", "reason"), [
    ("s3://videos/lists", f"has no class folders: {AS_LOCAL}"),
    ("s3://videos/lists/", f"has no class folders: {AS_LOCAL}"),
    ("s3://videos/none.csv", "there is no such object"),
    ("s3://vidoes/lists/a.csv", "there is no such bucket"),
])  # fmt: skip
def test_lists_that_are_not_there(bucket: Bucket, url: str, reason: str) -> None:
    with pytest.raises(SourceError) as error:
        read_rows(url, storage=bucket.storage())
    assert str(error.value) == f"{url.rstrip('/')}: {reason}"


def test_a_list_and_its_rows(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.endpoint)  # the cloud's own way, without a setting
    rows = read_rows("s3://videos/lists/train.csv")
    assert [rows.path(row) for row in range(len(rows))] == [
        "s3://videos/lists/clips/a.mp4", "s3://videos/b.mp4", "s3://other/c.mp4",
    ]  # fmt: skip
    assert (rows.name, rows.label(1), rows.has_urls) == ("train", 2, True)


def test_a_listing_goes_on_from_page_to_page(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bucket.storage().list_below("s3://videos/lists")
    monkeypatch.setattr("vjepa_pipe.storage.storage.PAGE", 2)
    assert bucket.storage().list_below("s3://videos/lists") == whole and len(whole) == 4
    assert bucket.storage().list_below("s3://videos/lists", most=3) == whole[:3]
    assert bucket.storage().find("s3://videos/lists", "a*.bin") == [one.url for one in whole[:2]]
    assert bucket.storage().find("s3://videos", "**/*.csv") == [whole[3].url]
    assert bucket.storage().find("s3://videos/none", "*") == []


def test_robots(bucket: Bucket, cache: Path) -> None:
    for layout, root in (
        ("droid", write_synthetic_droid(cache, 2)),
        ("lerobot", write_synthetic_lerobot(cache, 2, "v3.0")),
    ):
        for file in (path for path in root.rglob("*") if path.is_file()):
            bucket.put(f"{layout}/{file.relative_to(root)}", file.read_bytes())
        config = RobotDataConfig(data_paths=[f"s3://videos/{layout}"], layout=layout, frames_per_clip=4)
        settings = RoboticsConfig(enabled=True, fps=4.0)
        there = RobotDataset(config, settings, storage=bucket.storage(), on_bad_sample="raise")[1]
        here = RobotDataset(config, settings, data_paths=[str(root)], on_bad_sample="raise")[1]
        for name in ("video", "states", "actions"):
            assert torch.equal(there[name], here[name])


def test_an_object_that_changes_is_not_read_on(bucket: Bucket) -> None:
    bucket.put("changing.bin", CONTENT)
    file = bucket.storage().open("s3://videos/changing.bin")
    bucket.put("changing.bin", bytes(len(CONTENT)))
    with pytest.raises(ObjectChanged):
        file.read_at(2 * BLOCK_BYTES, 10)


def test_credentials_from_the_clouds_own_file(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")  # where Amazon's own machines ask
    with pytest.raises(StorageError, match=r"^s3://videos cannot be read: no credentials are in the environment"):
        bucket.storage().open("s3://videos/lists/a.bin")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[lab]\naws_access_key_id = id\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert bucket.storage().open("s3://videos/lists/a.bin").facts.size == len(CONTENT)


def test_anonymous_requests_are_not_signed(bucket: Bucket) -> None:
    with pytest.raises(ObjectError, match=r"a\.bin: access is denied \(403"):
        bucket.storage(anonymous=True).open("s3://videos/lists/a.bin")
