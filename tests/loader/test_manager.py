"""DataManager: batches, epochs, ranks, workers."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from vjepa_pipe import ConfigError, DataConfig, DataManager, compose
from vjepa_pipe.config import ExperimentConfig, LoaderConfig, MonitorConfig
from vjepa_pipe.datasets import TooManyBadSamples


def small(videos_csv: Path, **changes) -> DataConfig:
    settings = {
        "data_paths": [str(videos_csv)],
        "frames_per_clip": 4,
        "img_size": 32,
        "batch_size": 2,
        "num_workers": 0,
    }
    return DataConfig(**(settings | changes))


def test_bare_data_config_gives_batches_without_masks(videos_csv: Path) -> None:
    loader = DataManager(small(videos_csv)).build_train_loader()
    batches = list(loader)
    assert len(batches) == len(loader) == 4
    assert batches[0]["video"].shape == (2, 3, 4, 32, 32)
    assert batches[0]["label"].dtype == torch.int64
    assert "masks_enc" not in batches[0]
    assert sorted(torch.cat([batch["row"] for batch in batches]).tolist()) == list(range(8))


def test_each_pass_is_the_next_epoch_in_a_fresh_order(videos_csv: Path) -> None:
    loader = DataManager(small(videos_csv)).build_train_loader()
    first, second = ([row for batch in loader for row in batch["row"].tolist()] for _ in range(2))
    assert first != second
    loader.set_epoch(0)
    assert [row for batch in loader for row in batch["row"].tolist()] == first


def masked(videos_csv: Path, workers: int, **loader) -> ExperimentConfig:
    experiment = compose(["data=csv", f"data.data_paths=[{videos_csv}]", "data.frames_per_clip=4", "data.img_size=64"])
    experiment.data.batch_size, experiment.data.num_workers = 2, workers
    for name, value in loader.items():
        setattr(experiment.loader, name, value)
    return experiment


def equal_batches(a: dict, b: dict) -> bool:
    same_masks = all(
        torch.equal(x, y) for name in ("masks_enc", "masks_pred") for x, y in zip(a[name], b[name], strict=True)
    )
    return same_masks and torch.equal(a["video"], b["video"]) and a["key"] == b["key"]


@pytest.mark.parametrize("size", [(32, 64), [64, 32]])
def test_clips_and_masks_that_are_not_square(videos_csv: Path, size: Sequence[int]) -> None:
    experiment = masked(videos_csv, 0)
    experiment.data.img_size = size
    batch = next(iter(DataManager(experiment).build_train_loader()))
    assert batch["video"].shape == (2, 3, 4, *size)
    assert next(iter(DataManager(experiment).build_eval_loader()))["video"].shape == (2, 3, 4, *size)
    tokens = 2 * (size[0] // 16) * (size[1] // 16)
    for seen, asked in zip(batch["masks_enc"], batch["masks_pred"], strict=True):
        for row in torch.cat([seen, asked], 1):
            assert row.min() >= 0 and row.max() < tokens and len(row.unique()) == len(row)


@pytest.mark.parametrize(("workers", "method"), [(1, "fork"), (3, "fork"), (1, "spawn"), (1, "forkserver")])
def test_batches_do_not_depend_on_workers(videos_csv: Path, workers: int, method: str) -> None:
    expected = list(DataManager(masked(videos_csv, 0)).build_train_loader())
    found = list(DataManager(masked(videos_csv, workers, start_method=method)).build_train_loader())
    assert len(found) == len(expected) == 4
    assert all(equal_batches(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("world", [1, 2, 4])
def test_global_batch_does_not_depend_on_the_number_of_ranks(videos_csv: Path, world: int) -> None:
    def global_batches(world: int) -> list[tuple[list, torch.Tensor]]:
        config = small(videos_csv, batch_size=4 // world)
        ranks = [list(DataManager(config, rank=r, world_size=world).build_train_loader()) for r in range(world)]
        return [
            ([key for batch in step for key in batch["key"]], torch.cat([batch["video"] for batch in step]))
            for step in zip(*ranks, strict=True)
        ]

    for (keys, videos), (expected_keys, expected_videos) in zip(global_batches(world), global_batches(1), strict=True):
        assert keys == expected_keys
        assert torch.equal(videos, expected_videos)


@pytest.mark.parametrize("world", [1, 3, 7])
def test_eval_reads_every_sample_once_in_order(videos_csv: Path, world: int) -> None:
    config = small(videos_csv, batch_size=2)
    rows = [
        [row for batch in DataManager(config, r, world).build_eval_loader() for row in batch["row"].tolist()]
        for r in range(world)
    ]
    assert sorted(row for rank in rows for row in rank) == list(range(8))
    assert all(rank == sorted(rank) for rank in rows)


def test_eval_is_the_same_every_time(videos_csv: Path) -> None:
    loader = DataManager(small(videos_csv)).build_eval_loader()
    first, second = (torch.cat([batch["video"] for batch in loader]) for _ in range(2))
    assert torch.equal(first, second)


def test_weights_are_respected(videos_csv: Path) -> None:
    data = small(
        videos_csv, data_paths=[str(videos_csv)] * 2, data_weights=[0.75, 0.25], source_names=["a", "b"], batch_size=8
    )
    seen = Counter(name for batch in DataManager(data).build_train_loader() for name in batch["source"])
    assert seen == {"a": 12, "b": 4}


def test_rows_left_out_of_an_epoch_come_first_in_the_next(videos_csv: Path) -> None:
    loader = DataManager(small(videos_csv, batch_size=3)).build_train_loader()
    first = {row for batch in loader for row in batch["row"].tolist()}
    second = {row for batch in loader for row in batch["row"].tolist()}
    assert len(first) == 6
    assert set(range(8)) - first <= second


def test_lengths_collate_apart(videos_csv: Path) -> None:
    data = small(
        videos_csv,
        data_paths=[str(videos_csv)] * 2,
        source_names=["a", "b"],
        frames_per_clip_by_source=[4, 6],
        batch_size=8,
    )
    for batch in DataManager(data).build_train_loader():
        assert [group["video"].shape[2] for group in batch] == [4, 6]
        assert [set(group["source"]) for group in batch] == [{"a"}, {"b"}]


def test_own_collator(videos_csv: Path) -> None:
    loader = DataManager(small(videos_csv)).build_train_loader(mask_collator=len)
    assert list(loader) == [2, 2, 2, 2]


@pytest.mark.parametrize(("changes", "world", "message"), [
    ({"batch_size": 9}, 1, "data.batch_size=9 is more than an epoch of 8 clips: set data.batch_size=8, or "),
    ({"batch_size": 2}, 8, r"batch_size=2 on 8 ranks \(16 clips\) is more than an epoch of 8 clips: set data.b"),
    ({"data_paths": ["no.csv"]}, 1, r"data.data_paths\[0\]: no.csv does not exist; it must be a .csv"),
    ({"data_paths": ["s3:/b/no.csv"]}, 1, r"s3:/b/no.csv does not exist \(did you mean s3://b/no.csv\?\); it must be"),
    ({"data_paths": []}, 1, "data.data_paths is empty: name one file for each source"),
    ({"data_weights": [0.0]}, 1, "data.data_weights must not sum to 0"),
    ({"data_paths": [], "path_variables": ["NO_SUCH_CSV"]}, 1, "environment variable NO_SUCH_CSV is not set"),
])  # fmt: skip
def test_faults_are_found_before_work(videos_csv: Path, changes: dict, world: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DataManager(small(videos_csv, **changes), rank=0, world_size=world).build_train_loader()


def test_mask_that_cannot_be_drawn_is_a_config_error(videos_csv: Path) -> None:
    experiment = masked(videos_csv, 0)
    experiment.mask.masks["short"].spatial_scale = (1.0, 1.0)  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"mask.masks.short: mask.spatial_scale"):
        DataManager(experiment).build_train_loader()


def test_files_named_by_the_environment(videos_csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_CSV", str(videos_csv))
    loader = DataManager(small(videos_csv, data_paths=[], path_variables=["MY_CSV"])).build_train_loader()
    assert len(loader) == 4


def test_lengths_that_are_not_one_for_each_source_are_a_config_error(
    videos_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment, not the config, names the sources."""
    monkeypatch.setenv("SSV2_CSV", str(videos_csv))
    experiment = compose(["data=ssv2", "data.frames_per_clip_by_source=[4,8]"])
    with pytest.raises(ConfigError, match=r"data\.frames_per_clip_by_source must have 1 value, one for .*\(got 2"):
        DataManager(experiment).build_train_loader()


@pytest.mark.parametrize("workers", [0, 2])
def test_errors_of_workers_arrive_without_a_traceback(tmp_path: Path, workers: int) -> None:
    (tmp_path / "rows.csv").write_text("".join(f"missing{i}.mp4 0\n" for i in range(8)))
    loader = DataManager(small(tmp_path / "rows.csv", num_workers=workers)).build_train_loader()
    with pytest.raises(TooManyBadSamples) as error:
        next(iter(loader))
    assert "Traceback" not in str(error.value)
    assert "source rows" in str(error.value)


@pytest.mark.parametrize(("workers", "weights"), [(0, None), (2, [1.0])])
def test_resource_log(videos_csv: Path, tmp_path: Path, workers: int, weights: list[float] | None) -> None:
    experiment = ExperimentConfig(
        data=small(videos_csv, num_workers=workers, data_weights=weights),
        loader=LoaderConfig(monitor=MonitorConfig(enabled=True, interval_sec=0.01)),
    )
    loader = DataManager(experiment, output_dir=tmp_path).build_train_loader()
    assert not list(tmp_path.iterdir())
    list(loader)
    files = sorted(tmp_path.glob("resources_rank0_*.csv"))
    assert len(files) == max(workers, 1)
    with files[0].open() as file:
        rows = list(csv.DictReader(file))
    assert int(rows[0]["rss_bytes"]) > 1e6


def test_loader_leaves_global_generators_alone(videos_csv: Path) -> None:
    loader = DataManager(small(videos_csv)).build_train_loader()
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    list(loader)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
