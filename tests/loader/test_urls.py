"""Lists at URLs, through the loader: the batches of the same files on this machine, and faults that cost no place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from loading import digests, loader_of, rows_csv, tiny
from storage.range_server import Faults, RangeServer, serving

from vjepa_pipe import ConfigError, DataManager, RobotDataset, compose
from vjepa_pipe.cli import main
from vjepa_pipe.config import RobotDataConfig, UserError
from vjepa_pipe.datasets import VideoDataset
from vjepa_pipe.loader import TooManyFailures
from vjepa_pipe.storage import StorageError

QUICK = ("storage.retries=0", "storage.timeout_sec=2")


@pytest.fixture
def server(tmp_path: Path, videos_csv: Path) -> Iterator[RangeServer]:
    """Serves copies of the good videos as `row0.mp4` to `row11.mp4`, and their list."""
    folder = tmp_path / "served"
    folder.mkdir()
    rows_csv(folder / "whole.csv", videos_csv, {row: f"row{row}.mp4" for row in range(12)}, rows=12)
    (folder / "rows.csv").write_text("".join(f"row{row}.mp4 {row}\n" for row in range(12)))
    with serving(folder) as running:
        yield running


def at_url(server: RangeServer, *overrides: str):
    return tiny(server.url("rows.csv"), *QUICK, *overrides)


def quarantine(folder: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in (folder / "quarantine.jsonl").read_text().splitlines()]
    return {line["path"]: line["error"] for line in lines}


@pytest.mark.parametrize("workers", [
    ["data.num_workers=0"], ["data.num_workers=2"],
    pytest.param(["data.num_workers=1", "loader.start_method=spawn"], marks=pytest.mark.soak),
], ids=["here", "fork", "spawn"])  # fmt: skip
def test_batches_are_those_of_the_files(server: RangeServer, tmp_path: Path, workers: list[str]) -> None:
    expected = digests(loader_of(tiny(server.folder / "rows.csv"), tmp_path))
    loader = loader_of(at_url(server, *workers), tmp_path)
    assert digests(loader) == expected
    loader.close()
    assert loader.report.sources["rows"].listed_in == server.url("rows.csv")


def test_a_run_goes_on_wherever_its_files_lie(server: RangeServer, tmp_path: Path) -> None:
    expected = digests(loader_of(tiny(server.folder / "rows.csv"), tmp_path))
    first = loader_of(tiny(server.folder / "rows.csv"), tmp_path)
    head = digests(islice(first, 2))
    second = loader_of(at_url(server), tmp_path)
    second.load_state_dict(first.state_dict())
    assert head + digests(second) == expected


@pytest.mark.parametrize("fault", [404, 403, 500])
def test_bad_files_are_replaced_and_named(server: RangeServer, tmp_path: Path, fault: int) -> None:
    server.faults = Faults(status=fault, only=r"row[37]\.mp4")
    loader = loader_of(at_url(server), tmp_path)
    rows = {row for batch in loader for row in batch["row"].tolist()}
    assert rows.isdisjoint({3, 7}) and len(rows) > 8
    assert quarantine(tmp_path) == {server.url(f"row{row}.mp4"): "VideoError" for row in (3, 7)}
    server.faults, server.requests[:] = Faults(), []
    again = loader_of(at_url(server, f"loader.quarantine={tmp_path}"), tmp_path / "again")
    assert digests(again) and not server.asked_for("row3.mp4")


def test_files_that_hang_are_bad_and_end_no_worker(server: RangeServer, tmp_path: Path) -> None:
    server.faults = Faults(cut=1000, stall_sec=30, only=r"row3\.mp4")
    loader = loader_of(at_url(server, "data.num_workers=1", "storage.timeout_sec=0.3"), tmp_path)
    assert len(list(loader)) == 6
    loader.close()
    assert quarantine(tmp_path) == {server.url("row3.mp4"): "VideoError"} and loader.report.restarts == 0


@pytest.mark.parametrize("workers", [0, 1])
def test_a_store_that_is_gone_ends_the_run_at_a_place_to_go_on_from(
    server: RangeServer, tmp_path: Path, workers: int
) -> None:
    expected = digests(loader_of(tiny(server.folder / "rows.csv"), tmp_path))
    loader = loader_of(at_url(server, f"data.num_workers={workers}", "loader.prefetch_factor=1"), tmp_path)
    batches = iter(loader)
    head = digests(islice(batches, 2))
    server.faults = Faults(status=503)
    with pytest.raises(StorageError, match=r"^http://127\.0\.0\.1:\d+ cannot be read: it answers 503$"):
        head += digests(batches)  # what was read ahead is handed out
    assert not (tmp_path / "quarantine.jsonl").exists() and not loader.report.sources["rows"].bad
    server.faults = Faults()
    again = loader_of(at_url(server), tmp_path)
    again.load_state_dict(loader.state_dict())
    assert head + digests(again) == expected


def test_files_too_large_and_images(server: RangeServer, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 48), (200, 10, 10)).save(server.folder / "a.png")
    (server.folder / "rows.csv").write_text("a.png 0\nnone.png 1\n")
    dataset = VideoDataset(server.url("rows.csv"), frames_per_clip=4, on_bad_sample="raise")
    assert dataset[0]["video"].shape == (3, 4, 48, 64) and dataset[0]["video"][0].min() == 200
    with pytest.raises(UserError, match=r"none\.png: there is no such object"):
        dataset[1]
    for name in ("a.png", "row1.mp4"):
        (server.folder / "rows.csv").write_text(f"{name} 0\n")
        limited = VideoDataset(server.url("rows.csv"), max_file_bytes=10, on_bad_sample="raise")
        with pytest.raises(UserError, match=rf"{name}: \d+ bytes, more than max_file_bytes=10"):
            limited[0]


def test_too_many_bad_files_end_the_run(server: RangeServer, tmp_path: Path) -> None:
    server.faults = Faults(status=403, only=r"row\d+\.mp4")
    with pytest.raises(UserError, match=r"12 samples in a row could not be read.*access is denied \(403\)") as error:
        list(loader_of(at_url(server, "loader.max_replacements=20"), tmp_path))
    assert not isinstance(error.value, TooManyFailures)


def test_schemes_are_looked_at_first(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.data_paths\[0\]: htp:// is no scheme that is known \(did you mean"):
        DataManager(compose(["data=csv", "data.data_paths=[htp://a/b.csv]"])).build_train_loader()


def test_lists_that_are_missing_are_named_together(server: RangeServer, tmp_path: Path) -> None:
    lists = [server.url(name) for name in ("none.csv", "rows.csv", "no.npy")]
    missing = (f"{lists[0]}: there is no such object", f"{lists[2]}: there is no such object")
    with pytest.raises(ConfigError) as error:
        DataManager(tiny(lists, *QUICK)).build_train_loader()
    assert error.value.faults == missing
    config = RobotDataConfig(data_paths=[lists[0], lists[2]])
    with pytest.raises(ConfigError, match="2 config errors") as error:
        RobotDataset(config)
    assert [line.split(": ")[0] for line in error.value.faults] == [lists[0], lists[2]]
    server.faults = Faults(status=503)
    with pytest.raises(StorageError, match="it answers 503"):
        DataManager(tiny(lists, *QUICK)).build_train_loader()


def test_check_looks_for_lists(server: RangeServer, capsys: pytest.CaptureFixture[str]) -> None:
    csv = ["check", "--data", "data=csv", "data.batch_size=2"]
    assert main([*csv, f"data.data_paths=[{server.url('rows.csv')}]"]) == 0
    assert main([*csv, f"data.data_paths=[{server.url('none.csv')}]"]) == 2
    assert f"{server.url('none.csv')}: there is no such object" in capsys.readouterr().out
