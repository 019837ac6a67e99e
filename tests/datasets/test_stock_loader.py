"""A VideoDataset and a DistributedWeightedSampler in torch's own DataLoader."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset

from vjepa_pipe import AugConfig, DistributedWeightedSampler, VideoDataset, VideoTransformPipeline
from vjepa_pipe.sampling import KeyedIndex

EPOCHS = 3


@pytest.fixture(scope="module")
def dataset(videos_csv: Path) -> VideoDataset:
    transform = VideoTransformPipeline(AugConfig(), img_size=32).get_train_transform()
    return VideoDataset(videos_csv, frames_per_clip=4, transform=transform)


def sampler_of(rows: int, rank: int = 0, world_size: int = 1) -> DistributedWeightedSampler:
    return DistributedWeightedSampler([1.0] * rows, rank=rank, world_size=world_size, seed=5)


def epochs_of(loader: DataLoader, sampler: DistributedWeightedSampler) -> list[dict]:
    """The samples of each epoch, by row."""
    epochs = []
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        samples = [sample for batch in loader for sample in batch]
        epochs.append({sample["row"]: sample for sample in samples})
        assert len(samples) == len(epochs[-1]) == len(sampler)
    return epochs


def same(one: dict, other: dict) -> bool:
    return torch.equal(one["video"], other["video"])


@pytest.fixture(scope="module")
def expected(dataset: VideoDataset) -> list[dict]:
    sampler = sampler_of(len(dataset))
    return epochs_of(DataLoader(dataset, batch_size=3, sampler=sampler, collate_fn=list), sampler)


@pytest.mark.parametrize("row", range(8))
def test_windows_and_crops_change_with_the_epoch(expected: list[dict], row: int) -> None:
    samples = [epoch[row] for epoch in expected]
    # Of two windows in a short video, one may start where the other does.
    assert len({tuple(sample["clip_indices"].tolist()) for sample in samples}) > 1
    assert not same(samples[0], samples[1]) and not same(samples[1], samples[2]) and not same(samples[0], samples[2])


@pytest.mark.parametrize(("start", "persistent"), [("fork", False), ("fork", True), ("spawn", True)])
def test_workers_change_nothing(dataset: VideoDataset, expected: list[dict], start: str, persistent: bool) -> None:
    sampler = sampler_of(len(dataset))
    loader = DataLoader(
        dataset, 3, sampler=sampler, num_workers=1 if start == "spawn" else 2, collate_fn=list,
        persistent_workers=persistent, multiprocessing_context=start,
    )  # fmt: skip
    for found, wanted in zip(epochs_of(loader, sampler), expected, strict=True):
        assert all(found[row]["key"] == wanted[row]["key"] and same(found[row], wanted[row]) for row in range(8))


def test_ranks_change_nothing(dataset: VideoDataset, expected: list[dict]) -> None:
    found: list[dict] = [{} for _ in range(EPOCHS)]
    for rank in range(2):
        sampler = sampler_of(len(dataset), rank, 2)
        loader = DataLoader(dataset, batch_size=3, sampler=sampler, collate_fn=list)
        for epoch, samples in zip(found, epochs_of(loader, sampler), strict=True):
            epoch.update(samples)
    for epoch, wanted in zip(found, expected, strict=True):
        assert all(epoch[row]["key"] == wanted[row]["key"] and same(epoch[row], wanted[row]) for row in range(8))


def test_datasets_laid_end_to_end_keep_the_key(dataset: VideoDataset) -> None:
    both = ConcatDataset([dataset, dataset])
    keys = [both[KeyedIndex(index, 5, 2, 30 + index)]["key"] for index in (1, 9)]
    assert [key[:3] for key in keys] == [(5, 2, 31), (5, 2, 39)]
    assert [key.row for key in keys] == [1, 1]


def test_a_subset_passes_on_plain_rows(dataset: VideoDataset) -> None:
    found = Subset(dataset, [4, 6])[KeyedIndex(1, 5, 2, 30)]
    assert found["key"] == dataset[6]["key"]
