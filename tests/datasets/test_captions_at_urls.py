"""Captioned video at URLs: the samples of the same folder on this machine, and faults that cost no place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from captioned import CAPTIONS, video_path, write_csv, write_webvid
from storage.copies import in_memory
from storage.range_server import Faults, RangeServer, serving

from vjepa_pipe import VideoConfig
from vjepa_pipe.config import CaptionedDataConfig, ConfigError
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.datasets import CaptionedDataset, annotation_files, build_video_dataset
from vjepa_pipe.sources import SourceError
from vjepa_pipe.storage import Storage, StorageError
from vjepa_pipe.video import VideoError

QUICK = Storage(StorageConfig(timeout_sec=2, retries=0))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both layouts: the videos lie twice."""
    root = write_webvid(tmp_path_factory.mktemp("webvid"))
    (root / "videos" / "a page").mkdir(parents=True)
    rows = [(video, caption, "a page") for video, caption in CAPTIONS.items()]
    write_csv(root / "metadata" / "results_10M_train.csv", rows, ("videoid", "name", "page_dir"))
    for video in CAPTIONS:
        shutil.copy(video_path(root, video), root / "videos" / "a page")
    return root


@pytest.fixture
def server(root: Path) -> Iterator[RangeServer]:
    with serving(root) as running:
        yield running


def dataset(root: str | Path, layout: str, **settings: Any) -> CaptionedDataset:
    config = VideoConfig(data_root=str(root), dataset_type=layout, max_frames=8, frame_size=16)
    built: CaptionedDataset = build_video_dataset(config, storage=QUICK, **({"on_bad_sample": "raise"} | settings))
    return built


def assert_equal(there: CaptionedDataset, here: CaptionedDataset) -> None:
    assert len(there) == len(here) == len(CAPTIONS)
    assert there.sources[0].fingerprint() == here.sources[0].fingerprint()
    for row in range(len(here)):
        found, expected = there[row], here[row]
        assert found.keys() == expected.keys()
        for name in expected.keys() - {"stats"}:
            same = torch.equal if isinstance(expected[name], torch.Tensor) else lambda a, b: a == b
            assert same(found[name], expected[name]), name


def test_a_store_that_lists(root: Path) -> None:
    assert_equal(dataset(in_memory(root, "captions"), "webvid"), dataset(root, "webvid"))


def test_a_web_server_has_the_layout_that_needs_no_listing(root: Path, server: RangeServer) -> None:
    there = dataset(server.url(), "webvid_original")
    assert_equal(there, dataset(root, "webvid_original"))
    assert there.lists == [server.url()]
    with pytest.raises(SourceError, match=r"partitions: its files cannot be listed, as web servers do not do that$"):
        dataset(server.url(), "webvid")


def test_what_is_not_there(server: RangeServer) -> None:
    with pytest.raises(FileNotFoundError, match=rf"^No partition CSVs found under '{server.url('none')}'"):
        dataset(server.url("none"), "webvid_original")
    with pytest.raises(ConfigError, match=r"data\.data_root: htp:// is no scheme that is known"):
        annotation_files(CaptionedDataConfig(data_root="htp://a/b"))
    assert annotation_files(CaptionedDataConfig(data_root=server.url())) == [server.url()]


def test_a_video_that_is_gone_is_bad_and_a_store_that_is_gone_ends_the_run(server: RangeServer) -> None:
    server.faults = Faults(status=404, only=r".*007\.mp4")
    there = dataset(server.url(), "webvid_original")
    with pytest.raises(VideoError, match=r"a%20page/007\.mp4: there is no such object$"):
        there[1]
    masked = dataset(server.url(), "webvid_original", on_bad_sample="zero_masked")[1]
    assert not masked["decode_ok"] and masked["replaced"][0].path == server.url("videos/a%20page/007.mp4")
    there.max_file_bytes = 10
    with pytest.raises(VideoError, match=r"/0071234\.mp4: \d+ bytes, more than max_file_bytes=10$"):
        there[0]
    server.faults = Faults(status=503)
    with pytest.raises(StorageError, match="it answers 503"):
        there[0]
