"""Several clips from one opening of a video: what is decoded, and all that is promised of batches otherwise."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loading import digests, loader_of, rows_csv, tensors_of, tiny
from PIL import Image

from vjepa_pipe import ConfigError, DataManager, allow_targets, compose
from vjepa_pipe.loader import TooManyFailures
from vjepa_pipe.loader.schedule import BatchSchedule
from vjepa_pipe.sampling import SampleKey, SampleOrder
from vjepa_pipe.video import PyavDecoder, VideoError
from vjepa_pipe.video.decoders.pyav import PyavReader


def repeated(csv: Path | list[Path], times: int, *overrides: str):
    return tiny(csv, f"data.repeated_sampling={times}", "data.batch_size=12", "loader.drop_last=false", *overrides)


@pytest.fixture(scope="module")
def rows(videos_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """26 rows, one of them bad."""
    return rows_csv(tmp_path_factory.mktemp("rows") / "rows.csv", videos_csv, {5: "text.txt"}, rows=26)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each file that is opened from here on, as often as it is."""
    paths: list[str] = []
    plain = PyavDecoder.open
    monkeypatch.setattr(PyavDecoder, "open", lambda *given: (paths.append(given[1]), plain(*given))[1])
    return paths


@pytest.mark.parametrize("window", ["own", "same"])
def test_clips_of_one_opening_are_those_that_their_keys_give_alone(
    videos_csv: Path, tmp_path: Path, opened: list[str], window: str
):
    loader = loader_of(repeated(videos_csv, 4, f"data.repeated_window={window}", "data.batch_size=8"), tmp_path)
    (batch,) = loader
    assert len(opened) == 2 and [key.position for key in batch["key"]] == list(range(8))
    assert [row for row, _ in groupby(batch["row"].tolist())] == [
        key.row for key in map(SampleOrder([1], [8], 2).at, range(2))
    ]
    alone = DataManager(tiny(videos_csv)).build_train_dataset()
    for i, key in enumerate(batch["key"]):
        again, fresh = loader.dataset[key], alone[key]
        assert torch.equal(again["video"], batch["video"][i])
        if window == "own":
            assert torch.equal(fresh["video"], batch["video"][i])
            assert torch.equal(fresh["clip_indices"], batch["clip_indices"][i])
    windows = [{tuple(part) for part in batch["clip_indices"][first : first + 4].tolist()} for first in (0, 4)]
    assert [len(found) for found in windows] == ([1, 1] if window == "same" else [4, 4])
    assert len({clip.numpy().tobytes() for clip in batch["video"]}) == 8  # crops and noise differ in any case
    assert len({tuple(mask) for mask in batch["masks_enc"][0].tolist()}) == 8


def test_frames_that_several_windows_want_are_decoded_once(videos_csv: Path, tmp_path: Path):
    def decoded(times: int, window: str) -> int:
        small = [
            f"data.repeated_window={window}",
            "data.frames_per_clip=16",
            "mask=none",
            "loader.samples_per_epoch=24",
        ]
        loader = loader_of(repeated(videos_csv, times, *small), tmp_path)
        list(loader)
        return loader.report.sources["videos"].frames_decoded or 0

    same, own, plain = decoded(4, "same"), decoded(4, "own"), decoded(1, "own")
    assert same < own < plain
    assert 3 * same < plain  # six openings, not 24; windows differ in where they start


@pytest.mark.parametrize(("times", "world"), [(2, 2), (3, 4), (4, 2)])
def test_batches_do_not_depend_on_workers_or_ranks(
    rows: Path, videos_csv: Path, tmp_path: Path, times: int, world: int
):
    two = [
        "data.source_names=[a,b]", "data.data_weights=[2,1]", "data.num_clips=2", "data.frames_per_clip=2",
        "loader.samples_per_epoch=36", "mask=none",
    ]  # fmt: skip

    def batches(size: int, rank: int, world: int, workers: int = 0) -> list[dict[str, Any]]:
        experiment = repeated([rows, videos_csv], times, *two, f"data.batch_size={size}", f"data.num_workers={workers}")
        loader = loader_of(experiment, tmp_path, rank, world)
        found = list(loader)
        loader.close()
        assert sum(len(batch["key"]) for batch in found) == loader.sampler.num_samples
        return found

    whole = batches(24, 0, 1)
    assert [len(batch["key"]) for batch in whole] == [24, 12]
    assert Counter(name for batch in whole for name in batch["source"]) == {"a": 24, "b": 12}
    for batch in whole:
        first = [(key.source, key.row) for key in batch["key"][::times]]
        assert [(key.source, key.row) for key in batch["key"]] == [row for row in first for _ in range(times)]
    assert times != 3 or digests(batches(24, 0, 1, workers=2)) == digests(whole)
    ranks = [batches(24 // world, rank, world) for rank in range(world)]
    for expected, *parts in zip(whole, *ranks, strict=True):
        assert [key for part in parts for key in part["key"]] == expected["key"]
        assert torch.equal(torch.cat([part["video"] for part in parts]), expected["video"])
        assert all(len(part["key"]) % times == 0 for part in parts)


def test_clips_of_several_lengths_and_their_masks_do_not_depend_on_ranks(rows: Path, videos_csv: Path, tmp_path: Path):
    both = ["data.source_names=[a,b]", "data.frames_per_clip_by_source=[4,6]", "loader.samples_per_epoch=24"]

    def tensors(world: int) -> list[torch.Tensor]:
        size = f"data.batch_size={24 // world}"
        ranks = [
            list(loader_of(repeated([rows, videos_csv], 3, *both, size), tmp_path, r, world)) for r in range(world)
        ]
        return [
            torch.cat(parts)
            for length in (4, 6)
            for parts in zip(
                *(tensors_of(g) for (batch,) in ranks for g in batch if g["video"].shape[2] == length), strict=True
            )
        ]

    assert all(torch.equal(a, b) for a, b in zip(tensors(2), tensors(1), strict=True))


def steps(loaders: Iterable[Iterable[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """Each batch of all ranks: its keys, and the tensors that a trainer is fed."""
    return [
        (
            [key for batch in step for key in batch["key"]],
            *map(torch.cat, zip(*(tensors_of(batch) for batch in step), strict=True)),
        )
        for step in zip(*loaders, strict=True)
    ]


@pytest.mark.parametrize(("times", "workers", "world"), [(4, 0, 1), (3, 2, 2), (2, 0, 3)])
def test_resume_at_any_batch(rows: Path, tmp_path: Path, times: int, workers: int, world: int):
    """Also with other workers, on other ranks, and in an epoch whose last batch is smaller."""
    length = f"loader.samples_per_epoch={24 + times * world}"
    expected = steps([loader_of(repeated(rows, times, length), tmp_path)])
    assert [len(step[0]) for step in expected] == [12, 12, times * world]
    resumed = repeated(rows, times, length, f"data.batch_size={12 // world}", f"data.num_workers={workers}")
    for seen in (1, 2):
        first = loader_of(repeated(rows, times, length), tmp_path)
        found = steps([islice(first, seen)])
        loaders = [loader_of(resumed, tmp_path, rank, world) for rank in range(world)]
        for loader in loaders:
            loader.load_state_dict(json.loads(json.dumps(first.state_dict())))
        found += steps(loaders)
        assert [keys for keys, *_ in found] == [keys for keys, *_ in expected]
        bits = zip(chain(*(step[1:] for step in found)), chain(*(step[1:] for step in expected)), strict=True)
        assert all(torch.equal(here, whole) for here, whole in bits)
        for loader in loaders:
            loader.close()


def test_a_state_of_another_number_of_clips_is_refused(videos_csv: Path, tmp_path: Path):
    state = loader_of(repeated(videos_csv, 4), tmp_path).state_dict()
    with pytest.raises(ValueError, match=r"data\.repeated_sampling \(4 saved, 2 here\)"):
        loader_of(repeated(videos_csv, 2), tmp_path).load_state_dict(state)


def test_rows_left_out_of_an_epoch_come_first_in_the_next(videos_csv: Path, tmp_path: Path):
    loader = loader_of(repeated(videos_csv, 3, "mask=none"), tmp_path)  # 6 of 8 clips: 2 rows
    seen = [row for _ in range(4) for batch in loader for row in batch["row"].tolist()]
    assert Counter(seen) == dict.fromkeys(range(8), 3)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 9), st.integers(1, 60))
def test_ranks_share_whole_rows(times: int, world: int, rows_per_batch: int, rows: int):
    order = SampleOrder([1.0], [7], rows)
    ranks = [BatchSchedule(order, rows * times, rows_per_batch * times, rank, world, times) for rank in range(world)]
    drawn = [[keys for batch in range(len(schedule)) if (keys := schedule.keys(1, batch))] for schedule in ranks]
    assert [sum(map(len, batches)) for batches in drawn] == [schedule.samples_here for schedule in ranks]
    keys = sorted((key for batches in drawn for batch in batches for key in batch), key=lambda key: key.position)
    assert [key.position for key in keys] == list(range(rows * times, 2 * rows * times))
    assert {key.epoch for key in keys} == {1}
    assert all(key[3:] == order.at(key.position // times)[3:] for key in keys)
    assert all(batch[0].position % times == 0 == len(batch) % times for batches in drawn for batch in batches)
    counts = [schedule.samples_here for schedule in ranks]
    assert max(counts) - min(counts) <= times


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_row_is_replaced_for_all_its_clips_and_told_once(rows: Path, tmp_path: Path, workers: int):
    loader = loader_of(repeated(rows, 2, "loader.samples_per_epoch=52", f"data.num_workers={workers}"), tmp_path)
    batches = list(loader)
    loader.close()
    replaced = [
        (key.position, key.row, bad)
        for batch in batches
        for key, bad in zip(batch["key"], batch["replaced"], strict=True)
        if bad
    ]
    (first, row, bad), (second, also, same) = replaced
    assert (first % 2, second) == (0, first + 1) and row == also != 5 and bad == same and bad[0].row == 5
    report = loader.report.sources["rows"]
    assert (report.clips, report.replaced, report.quarantined, report.skipped) == (52, 1, 1, 0)
    assert len((tmp_path / "quarantine.jsonl").read_text().splitlines()) == 1
    told = loader_of(
        repeated(rows, 2, "loader.samples_per_epoch=52", f"loader.quarantine={tmp_path}"), tmp_path / "told"
    )
    assert digests(told) == digests(batches)


def test_damage_in_one_window_replaces_all_clips_of_the_row(
    videos_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plain = PyavReader._read

    def damaged(reader: PyavReader, numbers: np.ndarray) -> np.ndarray:
        if reader.path.endswith("worn.mp4") and numbers.max() > 10:
            raise VideoError(reader.path, "damaged near frame 11")
        return plain(reader, numbers)

    monkeypatch.setattr(PyavReader, "_read", damaged)
    worn = rows_csv(tmp_path / "rows.csv", videos_csv, {3: "worn.mp4"})
    loader = loader_of(repeated(worn, 4, "loader.samples_per_epoch=32", "data.batch_size=32", "mask=none"), tmp_path)
    (batch,) = loader
    where = [i for i, bad in enumerate(batch["replaced"]) if bad]
    assert len(where) == 4 and where[0] % 4 == 0 and len({batch["row"][i].item() for i in where}) == 1
    asked = [loader.schedule.at(where[0] + i) for i in range(4)]
    outcomes = [DataManager(tiny(worn)).build_train_dataset()[key]["replaced"] for key in asked]
    assert [] in outcomes and not all(outcome == [] for outcome in outcomes)  # only some of its windows are damaged
    for i, key in zip(where, asked, strict=True):
        assert torch.equal(loader.dataset[key]["video"], batch["video"][i])


def test_skipped_rows_leave_out_all_their_clips(rows: Path, tmp_path: Path):
    whole = {key.position: key for batch in loader_of(repeated(rows, 3, "loader.samples_per_epoch=78"), tmp_path)
             for key in batch["key"]}  # fmt: skip
    loader = loader_of(repeated(rows, 3, "loader.samples_per_epoch=78", "loader.on_bad_sample=skip"), tmp_path)
    keys = [key for batch in loader for key in batch["key"]]
    assert len(keys) == 75 and all(whole[key.position] == key for key in keys)
    report = loader.report.sources["rows"]
    assert (report.clips, report.skipped, report.replaced, report.quarantined) == (75, 3, 0, 1)


def test_the_rate_of_failures_is_one_of_rows(rows: Path, tmp_path: Path):
    loader = loader_of(repeated(rows, 4, "loader.samples_per_epoch=104", "mask=none"), tmp_path)
    list(loader)
    report = loader.report.sources["rows"]
    for clips, fails in ((199 * 4, False), (200 * 4, True)):
        report.clips, report._failed = clips - 4, 1
        if fails:
            with pytest.raises(TooManyFailures, match="1 of 200 opened rows"):
                report.check("rows", 0.001, 4)
        else:
            report.check("rows", 0.001, 4)


def test_a_row_that_ends_its_workers_is_replaced_for_all_its_clips(videos_csv: Path, tmp_path: Path):
    csv = rows_csv(tmp_path / "rows.csv", videos_csv, {3: "exit.mp4"})
    settings = ["loader.samples_per_epoch=16", "data.batch_size=4", "data.num_workers=2"]
    loader = loader_of(repeated(csv, 2, *settings, "decoder._target_=hazards.HazardousDecoder"), tmp_path)
    batches = list(loader)
    loader.close()
    assert [key.position for batch in batches for key in batch["key"]] == list(range(16))
    assert [len(bad) for batch in batches for bad in batch["replaced"]].count(1) == 2
    told = loader_of(repeated(csv, 2, *settings[:2], f"loader.quarantine={tmp_path}"), tmp_path / "told")
    assert digests(batches) == digests(told)


def test_images_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in "ab":
        Image.effect_noise((96, 80), 60).convert("RGB").save(tmp_path / f"{name}.png")
    (tmp_path / "rows.csv").write_text("a.png 0\nb.png 1\n")
    reads, plain = [], Image.open
    monkeypatch.setattr(Image, "open", lambda *given, **named: (reads.append(1), plain(*given, **named))[1])
    (batch,) = loader_of(repeated(tmp_path / "rows.csv", 2, "loader.samples_per_epoch=4"), tmp_path)
    assert len(reads) == 2 and len({clip.numpy().tobytes() for clip in batch["video"]}) == 4


class Noise:
    """A dataset of a user's own, which draws from torch's global generator."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"frames": torch.randint(0, 255, (4, 80, 80, 3), dtype=torch.uint8), "label": index}


class Backwards:
    """A sampler of a user's own."""

    def __init__(self, sizes: list[int], epoch_size: int) -> None:
        self.rows, self.epoch_size = sum(sizes), epoch_size

    def at(self, position: int) -> int:
        return self.rows - 1 - position % self.rows


allow_targets(f"{__name__}.*")


def test_parts_of_ones_own(tmp_path: Path):
    experiment = compose([
        f"data._target_={__name__}.Noise", f"loader.sampler._target_={__name__}.Backwards", "data.batch_size=6",
        "data.frames_per_clip=4", "data.img_size=64", "data.num_workers=0", "data.repeated_sampling=3",
    ])  # fmt: skip
    loader = loader_of(experiment, tmp_path)
    epochs = [next(iter(loader)) for _ in range(3)]
    assert [batch["row"].tolist() for batch in epochs] == [[5] * 3 + [4] * 3, [3] * 3 + [2] * 3, [1] * 3 + [0] * 3]
    assert [key.epoch for batch in epochs for key in batch["key"][:1]] == [0, 1, 2]
    assert len({clip.numpy().tobytes() for batch in epochs for clip in batch["video"]}) == 18
    experiment.data.repeated_window = "same"
    with pytest.raises(ConfigError, match=r"data\.repeated_window is read for lists of videos; data\._target_=.*Noise"):
        loader_of(experiment, tmp_path)


def test_evaluation_reads_each_row_once(videos_csv: Path):
    loader = DataManager(repeated(videos_csv, 4, "data.repeated_window=same")).build_eval_loader()
    assert [row for batch in loader for row in batch["row"].tolist()] == list(range(8))


@pytest.mark.parametrize(("overrides", "fault"), [
    (["data=csv", "data.data_paths=[a.csv]", "data.batch_size=8", "data.repeated_sampling=3"],
     "data.batch_size must be a multiple of data.repeated_sampling=3, such as 6 or 9 (got 8)"),
    (["data.batch_size=2", "data.repeated_sampling=4"],
     "data.batch_size must be a multiple of data.repeated_sampling=4, such as 4 (got 2)"),
    (["data.repeated_sampling=4", "loader.samples_per_epoch=30"],
     "loader.samples_per_epoch must be a multiple of data.repeated_sampling=4, such as 28 or 32 (got 30)"),
    (["data.repeated_window=each"], "data.repeated_window must be one of own, same (got 'each')"),
    (["data=synthetic_robot", "robotics=droid", "data_aug=robotics", "mask=none", "data.repeated_sampling=2"],
     "data.repeated_sampling must be 1 for robot data, which does not read it (got 2)"),
    (["data=webvid", "data.data_root=.", "data.repeated_sampling=2"],
     "data.repeated_sampling=2 is not read for captioned video"),
])  # fmt: skip
def test_settings_that_do_not_fit_are_named(overrides: list[str], fault: str):
    with pytest.raises(ConfigError) as error:
        compose(overrides)
    assert fault in error.value.faults


def test_an_epoch_without_a_batch_names_sizes_that_fit(videos_csv: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"an epoch of 8 clips: set data\.batch_size=6, or loader\.drop_last=false"):
        loader_of(repeated(videos_csv, 3, "loader.drop_last=true"), tmp_path)


def test_a_key_carries_all_that_its_clip_is_made_of(videos_csv: Path, tmp_path: Path):
    """Read alone and out of order, also the clip of a window that all share."""
    loader = loader_of(repeated(videos_csv, 4, "data.repeated_window=same", "data.batch_size=4"), tmp_path)
    batch = next(iter(loader))
    last: SampleKey = batch["key"][-1]
    assert loader.dataset.read(last).indices[0].tolist() == batch["clip_indices"][0].tolist()
