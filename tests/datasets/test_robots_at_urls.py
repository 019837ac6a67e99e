"""Robot data at URLs: the frames, states and actions of the same folder on this machine, and whose fault a fault is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lerobot_files import write_lerobot
from storage.copies import in_memory, memory_is_gone
from storage.range_server import Faults, RangeServer, serving

from vjepa_pipe import RobotDataset
from vjepa_pipe.config import RobotDataConfig, RoboticsConfig
from vjepa_pipe.config.errors import SampleError
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.loader.identity import fingerprint_of
from vjepa_pipe.sources import DroidSource, SourceError
from vjepa_pipe.storage import Storage, StorageError
from vjepa_pipe.synthetic import write_synthetic_droid, write_synthetic_lerobot

fsspec = pytest.importorskip("fsspec")
QUICK = Storage(StorageConfig(timeout_sec=2, retries=0))


def dataset(path: str | Path, layout: str, **robotics: Any) -> RobotDataset:
    config = RobotDataConfig(data_paths=[str(path)], layout=layout, frames_per_clip=4)
    settings = {"enabled": True, "fps": 4.0, "alignment": "timestamps", "time_tolerance_sec": 0.05} | robotics
    return RobotDataset(config, RoboticsConfig(**settings), storage=QUICK, on_bad_sample="raise")


def assert_equal(there: RobotDataset, here: RobotDataset) -> None:
    assert len(there) == len(here) and there.sources[0].name == here.sources[0].name
    assert fingerprint_of(there.sources[0]) == fingerprint_of(here.sources[0])  # whoever moves the data can go on
    for row in range(len(here)):
        found, expected = there[row], here[row]
        assert found.keys() == expected.keys() >= {"video", "states", "actions"}
        for name in expected.keys() - {"stats"}:
            same = torch.equal if isinstance(expected[name], torch.Tensor) else lambda a, b: a == b
            assert same(found[name], expected[name]), name


@pytest.fixture(scope="module")
def droid(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trajectories, and lists of them."""
    root = tmp_path_factory.mktemp("robots") / "droid"
    shutil.copytree(write_synthetic_droid(cache, 2), root)
    folders = sorted(file.parent.relative_to(root) for file in root.rglob("trajectory.h5"))
    (root / "list.csv").write_text("".join(f'"{folder}" 0\n' for folder in folders))
    (root / "urls.csv").write_text("".join(f"memory://droid/{folder} 0\n" for folder in folders))
    return root


@pytest.fixture
def lerobot(cache: Path, tmp_path: Path) -> Iterator[RangeServer]:
    """Serves a dataset of version 2.1, whose files are known without a listing."""
    shutil.copytree(write_synthetic_lerobot(cache, 2, "v2.1"), tmp_path / "robot")
    with serving(tmp_path) as running:
        yield running


def test_droid(droid: Path) -> None:
    url = in_memory(droid, "droid")
    here = dataset(droid, "droid")
    assert_equal(dataset(url, "droid"), here)
    assert_equal(dataset(f"{url}/list.csv", "droid"), dataset(droid / "list.csv", "droid"))
    mixed = dataset(droid / "urls.csv", "droid")  # a list on this machine of trajectories that are not
    assert torch.equal(mixed[1]["states"], here[1]["states"]) and torch.equal(mixed[1]["video"], here[1]["video"])
    one = Path(here.sources[0].path(1))
    alone = dataset(f"{url}/{one.relative_to(droid)}/", "droid")
    assert torch.equal(alone[0]["video"], dataset(one, "droid")[0]["video"])


def test_droid_needs_a_listing(droid: Path) -> None:
    with (
        serving(droid) as server,
        pytest.raises(SourceError, match=r"raw DROID is read where files can be listed, which web servers do not do$"),
    ):
        dataset(server.url("list.csv"), "droid")


@pytest.mark.parametrize(("name", "fault", "reason"), [
    ("trajectory.h5", None, "holds no trajectory.h5"),
    ("trajectory.h5", b"not HDF5", r"trajectory\.h5: cannot be read as HDF5"),
    ("metadata_*.json", None, r"must hold one metadata\*\.json \(found none\)"),
    ("metadata_*.json", b"[", "cannot be read as JSON"),
    ("recordings/MP4/*_timestamps.json", None, "_timestamps.json: there is no such object"),
    ("recordings/MP4/*.mp4", None, r"\.mp4: there is no such object"),
])  # fmt: skip
def test_a_trajectory_that_lacks_a_file_is_bad(droid: Path, name: str, fault: bytes | None, reason: str) -> None:
    url = in_memory(droid, "broken")
    found = dataset(url, "droid")
    files = fsspec.filesystem("memory")
    for file in files.glob(f"{found.sources[0].path(0).removeprefix('memory:/')}/{name}"):
        files.pipe(file, fault) if fault else files.rm(file)
    with pytest.raises(SampleError, match=reason):
        found[0]
    assert len(found[1]["video"])


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_lerobot(cache: Path, version: str) -> None:
    root = write_synthetic_lerobot(cache, 2, version)
    there = dataset(f"{in_memory(root, root.name)}/", "lerobot")
    assert_equal(there, dataset(root, "lerobot"))
    assert there.sources[0].path(1) == f"memory://{root.name} episode 1"


def test_images_in_the_rows(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "pusht", "pusht")
    settings = {"state_form": "position", "fps": 5.0}
    there, here = dataset(in_memory(root, "pusht"), "lerobot", **settings), dataset(root, "lerobot", **settings)
    assert_equal(there, here)
    there.config.max_file_bytes = 10
    with pytest.raises(SampleError, match=r"\.parquet: \d+ bytes, more than max_file_bytes=10"):
        there[0]


def test_a_web_server_has_datasets_of_version_2(lerobot: RangeServer) -> None:
    there = dataset(lerobot.url("robot"), "lerobot")
    assert_equal(there, dataset(lerobot.folder / "robot", "lerobot"))
    lerobot.faults = Faults(status=404, only=r".*episode_000001\.(parquet|mp4)")
    with pytest.raises(SampleError, match=r"robot/videos/.*episode_000001\.mp4: there is no such object"):
        there[1]
    lerobot.faults.only = r".*episode_000001\.parquet"
    with pytest.raises(SampleError, match=r"robot episode 1: .*episode_000001\.parquet cannot be read as parquet"):
        there[1]
    lerobot.faults = Faults(status=503)
    with pytest.raises(StorageError, match="it answers 503"):
        there[0]


def test_datasets_that_cannot_be_read(lerobot: RangeServer) -> None:
    with pytest.raises(SourceError, match=r"none: is not a LeRobot dataset: it holds no meta/info\.json$"):
        dataset(lerobot.url("none"), "lerobot")
    info = lerobot.folder / "robot" / "meta" / "info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"codebase_version": "v3.0"}))
    with pytest.raises(SourceError, match=r"meta/episodes: its files cannot be listed, as web servers do not do that$"):
        dataset(lerobot.url("robot"), "lerobot")
    with pytest.raises(SourceError, match=r"memory://nowhere: cannot be read: there is no such object$"):
        DroidSource("memory://nowhere")
    lerobot.faults = Faults(status=503)
    with pytest.raises(StorageError, match="it answers 503"):
        dataset(lerobot.url("robot"), "lerobot")


def test_h5_of_a_store_that_is_gone(droid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = DroidSource(in_memory(droid, "gone"), storage=QUICK)
    with source.open(0) as episode:
        memory_is_gone(monkeypatch)
        assert episode.num_rows  # what has been read stays
        with pytest.raises(StorageError, match="memory://gone cannot be read: ConnectionError"):
            source.open(1)
        with pytest.raises(StorageError, match="memory://gone cannot be read: ConnectionError"):
            assert episode.metadata
