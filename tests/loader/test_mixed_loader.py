"""Batches of videos and of images out of one loader."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_cuda import FakeCuda, cuda
from indexing import index_of
from loading import digests, joined, rows_csv
from mixing import images, loaders_of, mix, videos_csv, write_images
from torch.utils.data import DataLoader, get_worker_info

from vjepa_pipe import ConfigError, DataManager, allow_targets
from vjepa_pipe.config import DecoderConfig, ExperimentConfig, SamplerConfig
from vjepa_pipe.datasets import KeyedDataset, MixedDataset, VideoDataset
from vjepa_pipe.datasets.bad import Quarantined
from vjepa_pipe.loader import ClipLoader, MaskCollator, device_prefetch
from vjepa_pipe.loader.batch_memory import BatchMemory
from vjepa_pipe.sampling import KeyedIndex, SampleKey

__all__ = ["cuda", "images", "videos_csv"]

allow_targets(f"{__name__}.*")


def loader_of(experiment: ExperimentConfig, folder: Path) -> ClipLoader:
    return loaders_of(experiment, folder, 1)[0]


def modalities(batches: Sequence[dict[str, Any]]) -> str:
    """The first letter of each."""
    return "".join(batch["modality"][0] for batch in batches)


def test_one_rank_takes_turns_and_each_batch_is_of_one_stream(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    loader = loader_of(mix(videos_csv, images), tmp_path)
    batches = [batch for _ in range(2) for batch in loader]
    assert modalities(batches) == "vvvivvvivv" and len(loader) == 5
    for batch in batches:
        number, frames, source = (3, 1, "pictures") if batch["modality"] == "image" else (2, 4, "videos")
        assert batch["video"].shape == (number, 3, frames, 32, 32)
        assert batch["source"] == [source] * number
        grid = frames // (2 if frames > 1 else 1) * 16
        seen, predicted = batch["masks_enc"][0], batch["masks_pred"][0]
        assert len(seen) == len(predicted) == number
        assert int(seen.max()) < grid and int(predicted.max()) < grid
    counts = Counter(row for batch in batches if batch["modality"] == "image" for row in batch["row"].tolist())
    assert counts == dict.fromkeys(range(6), 1)
    assert {name: source.clips for name, source in loader.report.sources.items()} == {"videos": 16, "pictures": 6}
    assert {name: spread.clips for name, spread in loader.report.tokens.items() if "encoder" in name} == {
        "mask.few.encoder": 16, "image.mask.few.encoder": 6
    }  # fmt: skip


def test_each_sample_is_that_of_its_own_experiment(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    manager = DataManager(mix(videos_csv, images, share=0.5), output_dir=tmp_path)
    alone = {name: stream.build_train_dataset() for name, stream in manager.streams.items()}
    assert [type(one) for one in alone.values()] == [VideoDataset, VideoDataset]
    for batch in islice(manager.build_train_loader(), 4):
        first = 1 if batch["modality"] == "image" else 0
        for place, key in enumerate(batch["key"]):
            sample = alone[batch["modality"]][key._replace(source=key.source - first)]
            assert torch.equal(sample["video"], batch["video"][place]) and sample["label"] == batch["label"][place]
    seeds = {name: stream.config.seed for name, stream in manager.streams.items()}
    assert seeds["video"] == 0 and seeds["image"] != 0


@pytest.mark.parametrize(("workers", "method"), [(3, "fork"), (1, "spawn")])
def test_batches_do_not_depend_on_workers(
    videos_csv: Path, images: Path, tmp_path: Path, workers: int, method: str
) -> None:
    expected = loader_of(mix(videos_csv, images), tmp_path)
    found = loader_of(mix(videos_csv, images, data_num_workers=workers, loader_start_method=method), tmp_path)
    for _ in range(2):
        assert digests(found) == digests(expected)
    found.close()


@pytest.mark.parametrize(("world", "share", "convention", "streams", "workers"), [
    (4, 0.25, "strict", "vvvi", [2, 2, 2, 1]),
    (4, 0.5, "strict", "vivi", [2, 1, 2, 1]),
    (4, 0.5, "reference", "iivv", [1, 1, 2, 2]),
    (2, 0.25, "strict", "vv", [2, 2]),
])  # fmt: skip
def test_ranks_have_the_stream_and_the_workers_of_it(
    videos_csv: Path, images: Path, tmp_path: Path, world: int, share: float, convention: str, streams: str,
    workers: list[int],
) -> None:  # fmt: skip
    settings = {"data_num_workers": 2, "image_data_num_workers": 1, "loader_iterations_per_epoch": 2}
    loaders = loaders_of(mix(videos_csv, images, share, image_convention=convention, **settings), tmp_path, world)
    assert [loader.num_workers for loader in loaders] == workers
    sizes = {"v": 4 if convention == "reference" else 2, "i": 3}
    for rank, loader in enumerate(loaders):
        assert next(len(keys) for keys in loader.batch_sampler) == sizes[streams[rank]]
        assert loader.schedule.stream(0, 0).modality[0] == streams[rank]
        assert len(loader) == 2 and len(loader.sampler) == 4  # counted as batches of data.batch_size


def test_published_ranks_share_an_epoch_of_videos(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    loaders = loaders_of(mix(videos_csv, images, 0.5, image_convention="reference"), tmp_path, 2)
    batches = [list(loader) for loader in loaders]
    assert [modalities(rank) for rank in batches] == ["ii", "vv"]
    assert sorted(row for batch in batches[1] for row in batch["row"].tolist()) == list(range(8))


@pytest.mark.parametrize("cut_over", ["global", "rank"])
def test_masks_are_those_of_the_step_of_the_stream(
    videos_csv: Path, images: Path, tmp_path: Path, cut_over: str
) -> None:
    """On two ranks of each stream, as on one with batches twice as large; cut over a rank, each has its own length."""
    wide = mix(videos_csv, images, 0.5, mask_cut_over=cut_over, image_mask_cut_over=cut_over)
    narrow = replace(
        wide,
        data=replace(wide.data, batch_size=1),
        image=replace(wide.image, data=replace(wide.image.data, batch_size=3)),
    )
    wide.image.data.batch_size = 6
    two, four = loaders_of(wide, tmp_path, 2), loaders_of(narrow, tmp_path, 4)
    lengths = []
    for whole, parts in zip(zip(*two, strict=True), zip(*four, strict=True), strict=True):
        for stream, batch in enumerate(whole):
            pair = [parts[stream], parts[stream + 2]]
            lengths += [part["masks_enc"][0].shape[1] - batch["masks_enc"][0].shape[1] for part in pair]
            assert [key for part in pair for key in part["key"]] == batch["key"]
            if cut_over == "global":
                assert digests([joined(pair)]) == digests([batch])
    assert any(lengths) == (cut_over == "rank")


def test_bad_rows_are_replaced_within_their_stream_and_named(videos_csv: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    (images.parent / "2.png").write_text("no picture")
    videos = rows_csv(tmp_path / "rows.csv", videos_csv, {5: "text.txt"})
    loader = loader_of(mix(videos, images, 0.5, data_num_workers=2), tmp_path)
    batches = list(loader)
    loader.close()
    lines = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert {(line["source"], line["row"], line["decoder"]) for line in lines} == {
        ("rows", 5, "pyav"), ("pictures", 2, "pillow"),
    }  # fmt: skip
    for line in lines:
        batch = batches[line["step"] - 1]
        assert line["source"] in batch["source"] and any(batch["replaced"])
    assert {name: source.replaced for name, source in loader.report.sources.items()} == {"rows": 1, "pictures": 2}
    assert all(set(batch["source"]) == {"pictures" if batch["modality"] == "image" else "rows"} for batch in batches)

    told = loader_of(mix(videos, images, 0.5, loader_quarantine=str(tmp_path)), tmp_path / "told")
    assert sorted(told.dataset.quarantine) == [(0, 5), (1, 2)]
    assert digests(told) == digests(batches)
    assert {bad.error for source in told.report.sources.values() for bad in source.bad} == {"Quarantined"}
    skipping = mix(videos, images, 0.5, loader_on_bad_sample="skip")
    sizes = Counter((batch["modality"], len(batch["key"])) for batch in loader_of(skipping, tmp_path / "skipped"))
    assert sizes == {("video", 2): 3, ("video", 1): 1, ("image", 3): 2, ("image", 2): 2}


def test_a_row_of_images_that_ends_workers_is_blamed_by_its_name(videos_csv: Path, tmp_path: Path) -> None:
    images = rows_csv(tmp_path / "pictures.csv", videos_csv, {1: "exit.mp4"}, rows=4)
    experiment = mix(videos_csv, images, 0.5, data_num_workers=1, image_data_num_workers=1)
    experiment.decoder = DecoderConfig(_target_="hazards.HazardousDecoder")
    loader = loader_of(experiment, tmp_path)
    batches = list(loader)
    loader.close()
    (line,) = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert (line["source"], line["row"], line["error"]) == ("pictures", 1, "WorkerEnded")
    assert loader.dataset.quarantine == {(1, 1)} and loader.report.restarts == 2
    assert {bad.error for batch in batches for sample in batch["replaced"] for bad in sample} == {"Quarantined"}


def test_the_quarantine_of_a_mix_is_that_of_its_datasets(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    dataset = loader_of(mix(videos_csv, images), tmp_path).dataset
    assert isinstance(dataset, MixedDataset)
    dataset.quarantine = {(1, 4)}
    dataset.check_known(0, 4)
    with pytest.raises(Quarantined, match=r"4\.png"):
        dataset.check_known(1, 4)
    assert [bad.row for bad in dataset[len(dataset) - 2]["replaced"]] == [4]
    read: list[SampleKey] = []
    dataset.on_read = read.append
    assert dataset[8]["source"] == "pictures" and dataset[7]["source"] == "videos"
    assert [key[3:] for key in read] == [(1, 0), (0, 7)]


def test_an_index_is_asked_about_its_own_videos(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    videos = rows_csv(tmp_path / "rows.csv", videos_csv, {5: "text.txt"})
    folder = index_of(videos, tmp_path / "index")
    loader = loader_of(mix(videos, images, 0.5, data_index_dir=str(folder)), tmp_path / "run")
    bad = [bad for batch in loader for sample in batch["replaced"] for bad in sample]
    assert {(one.source, one.row, one.error) for one in bad} == {("rows", 5, "BadInIndex")}
    assert loader.report.sources["pictures"].clips == 12 and not loader.quarantine_file.exists()


def test_rows_and_indices_with_keys_are_read_as_of_any_dataset(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    dataset = loader_of(mix(videos_csv, images), tmp_path).dataset
    loader = DataLoader(dataset, batch_size=2, sampler=[7, KeyedIndex(9, 5, 2, 30)], collate_fn=list)
    ((video, image),) = loader
    assert (video["modality"], video["key"]) == ("video", SampleKey(0, 0, 7, 0, 7))
    assert (image["modality"], image["key"], image["label"]) == ("image", SampleKey(5, 2, 30, 1, 1), 1)
    assert torch.equal(image["video"], dataset[SampleKey(5, 2, 30, 1, 1)]["video"])


class Planning(KeyedDataset):
    """Keeps what it is told to plan."""

    plans = True

    def __init__(self, name: str, repeats: int = 1) -> None:
        super().__init__([Named(name)], None, 0, "replace", 1)
        self.repeats = repeats
        self.planned: list[tuple[int, int]] = []

    def plan(self, keys: Sequence[SampleKey]) -> None:
        self.planned = [(key.source, key.row) for key in keys]

    def sample(self, key: SampleKey) -> dict[str, Any]:
        return {"video": torch.full((3, 1, 4, 4), float(key.row)), "source": self.sources[0].name}


class Still(Planning):
    plans = False


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    def __len__(self) -> int:
        return 4

    def path(self, i: int) -> str:
        return f"{self.name}/{i}"


def test_each_dataset_is_told_its_own_plans_and_repeats() -> None:
    videos, images = Planning("videos", repeats=2), Still("images")
    mixed = MixedDataset(videos, images)
    keys = [SampleKey(0, 0, position, source, position) for source, position in [(0, 0), (1, 1), (1, 3), (0, 2)]]
    assert mixed.plans and not MixedDataset(Still("a"), Still("b")).plans
    mixed.plan(keys)
    assert (videos.planned, images.planned) == ([(0, 0), (0, 2)], [])
    assert [mixed.first_of(SampleKey(0, 0, 5, source, 0)).position for source in (0, 1)] == [4, 5]
    assert mixed[SampleKey(0, 0, 3, 1, 2)]["key"] == SampleKey(0, 0, 3, 1, 2)
    assert [mixed.describe_bad(source, 3, "E", "e").path for source in (0, 1)] == ["videos/3", "images/3"]


def test_rows_of_videos_may_give_several_clips(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    experiment = mix(videos_csv, images, 0.5, data_repeated_sampling=2, data_batch_size=4)
    loader = loader_of(experiment, tmp_path)
    for batch in loader:
        rows = [(key.source, key.row) for key in batch["key"]]
        assert len(set(rows)) == (2 if batch["modality"] == "video" else 3)
    assert digests(loader_of(experiment, tmp_path)) == digests(loader_of(experiment, tmp_path))


def test_clips_of_several_lengths(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    two = {"data_paths": [str(videos_csv)] * 2, "source_names": ["a", "b"], "frames_per_clip_by_source": [4, 8]}
    experiment = mix(videos_csv, images, 0.5, data_batch_size=6)
    experiment.data = replace(experiment.data, **two)
    found = list(loader_of(experiment, tmp_path))
    for batch in found:
        groups = batch if isinstance(batch, list) else [batch]
        assert {group["modality"] for group in groups} == {"image" if isinstance(batch, dict) else "video"}
        for group in groups:
            assert {key.source for key in group["key"]} == {{4: 0, 8: 1, 1: 2}[group["video"].shape[2]]}
            assert len(group["masks_enc"][0]) == len(group["key"])
    assert any(isinstance(batch, list) and len(batch) == 2 for batch in found)


def test_own_collators_are_given_one_stream_at_a_time(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    manager = DataManager(mix(videos_csv, images, 0.5), output_dir=tmp_path)

    def named(samples: Sequence[Any]) -> tuple[int, set[str]]:
        return len(samples), {sample["modality"] for sample in samples}

    assert list(manager.build_train_loader(named))[:2] == [(2, {"video"}), (3, {"image"})]
    plain = list(islice(manager.build_train_loader(MaskCollator()), 2))
    assert modalities(plain) == "vi" and not any("masks_enc" in batch for batch in plain)


def test_two_workers_share_both_streams(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    """Not one of them the videos, and the other the images between them."""

    def named(samples: Sequence[Any]) -> str:
        worker: Any = get_worker_info()
        return f"{samples[0]['modality'][0]}{worker.id}"

    manager = DataManager(mix(videos_csv, images, 0.5, data_num_workers=2), output_dir=tmp_path)
    loader = manager.build_train_loader(named)
    assert list(loader) == ["v0", "i0", "v1", "i1"] * 2
    loader.close()


class Backwards:
    """Gives rows from the last to the first; knows how many there are."""

    def __init__(self, sizes: Sequence[int], **_: Any) -> None:
        self.rows = sum(sizes)

    def at(self, position: int) -> int:
        return self.rows - 1 - position % self.rows


def test_own_samplers_are_given_the_sizes_of_a_stream(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    experiment = mix(videos_csv, images, 0.5, loader_sampler=SamplerConfig(_target_=f"{__name__}.Backwards"))
    loader = loader_of(experiment, tmp_path)
    batches = list(loader)
    rows = {
        name: [row for b in batches if b["modality"] == name for row in b["row"].tolist()]
        for name in ("video", "image")
    }
    assert rows == {"video": list(range(7, -1, -1)), "image": list(range(5, -1, -1)) * 2}
    assert sorted(loader.schedule.of_row(1, 5, 0)) == [(1, 0, 0), (5, 0, 0)]


def test_memory_of_one_stream_is_not_laid_out_for_the_other(cuda: FakeCuda) -> None:
    memory = BatchMemory()
    shapes = {"video": (3, 4, 32, 32), "image": (3, 1, 32, 32)}
    for kind, shape in shapes.items():
        memory.learn([{"video": torch.zeros(shape)}] * 2, kind)
    for kind in ("video", "image", "video"):
        with memory.laid_out(2, kind) as places:
            assert [tuple(place.shape) for place in places if place is not None] == [shapes[kind]] * 2


def test_batches_reach_a_device(videos_csv: Path, images: Path, tmp_path: Path, cuda: FakeCuda) -> None:
    settings = {"data_num_workers": 1, "image_data_num_workers": 1, "loader_pin_memory": True}
    expected = digests(loader_of(mix(videos_csv, images, 0.5), tmp_path))
    loader = loader_of(mix(videos_csv, images, 0.5, **settings), tmp_path)
    prefetched = device_prefetch(loader, "cuda")
    batches = list(prefetched)
    assert digests(batches) == expected and modalities(batches) == "vi" * 4
    assert len(cuda.history) < 12  # blocks of both are used again
    loader.close()


def test_whole_passes_are_listed_by_the_samplers(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    """As trainers see them: the loader's length is in batches, whatever their size."""
    loader = loader_of(mix(videos_csv, images), tmp_path)
    keys = list(loader.batch_sampler)
    assert len(keys) == len(loader.batch_sampler) == len(loader) == 5
    assert list(loader.sampler) == [key for batch in keys for key in batch]
    assert [batch["key"] for batch in loader] == keys
    assert list(loader.batch_sampler) != keys  # those of the next pass


def test_the_eval_loader_reads_videos(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    manager = DataManager(mix(videos_csv, images), output_dir=tmp_path)
    batches = list(manager.build_eval_loader())
    assert [row for batch in batches for row in batch["row"].tolist()] == list(range(8))
    assert not any("modality" in batch for batch in batches)
    assert not any(name.startswith("image.") for name in manager.build_eval_loader().state_dict()["fingerprints"])


def test_videos_alone_are_no_mix(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    manager = DataManager(ExperimentConfig(data=mix(videos_csv, images).data), output_dir=tmp_path)
    loader = manager.build_train_loader()
    assert manager.streams == {"video": manager} and type(loader.dataset) is VideoDataset
    assert "modality" not in next(iter(loader))


@pytest.mark.parametrize(("changes", "world", "said"), [
    ({"image_data_data_paths": ["no.csv"]}, 1, r"^config error: image\.data\.data_paths\[0\]: no\.csv does not exist"),
    ({"image_data_source_names": ["videos"]}, 1, r"image\.data\.source_names must tell images from videos: both have"),
    ({"image_data_data_weights": [1.0, 1.0]}, 1, r"image\.data\.data_weights must have 1 value, one for each source"),
    ({"image_convention": "reference"}, 2, r"image\.share=0\.25 is less than one of 2 ranks"),
    ({"image_convention": "reference"}, 4, r"data\.batch_size=2 on 4 ranks.* set data\.batch_size=3, or image\.conv"),
    ({"data_batch_size": 20}, 1, r"an epoch that shows 8 videos once .*\(10 clips\): set data\.batch_size=10, or"),
])  # fmt: skip
def test_faults_are_named_as_the_experiment_names_them(
    videos_csv: Path, images: Path, tmp_path: Path, changes: dict[str, Any], world: int, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        DataManager(mix(videos_csv, images, **changes), 0, world, output_dir=tmp_path).build_train_loader()
    assert "drop_last" not in str(error.value)
