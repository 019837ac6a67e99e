"""Which epoch a pass yields, however a trainer goes through the loader."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from loading import loader_of, tiny

from vjepa_pipe import ConfigError, DataManager
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.legacy.dropin import data as dropin
from vjepa_pipe.loader import ClipLoader

BATCHES = 4


@pytest.fixture(params=[0, 2])
def loader(videos_csv: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterable[ClipLoader]:
    """Four batches of two, with 0 and with 2 workers."""
    loader = loader_of(tiny(videos_csv, f"data.num_workers={request.param}", "mask=none"), tmp_path)
    yield loader
    loader.close()


def places(batches: Iterable[dict[str, Any]]) -> list[tuple[int, int]]:
    """Epoch and number of each batch."""
    return [(batch["key"][0].epoch, batch["key"][0].position // 2 % BATCHES) for batch in batches]


def whole(epoch: int, first: int = 0) -> list[tuple[int, int]]:
    return [(epoch, batch) for batch in range(first, BATCHES)]


def test_as_many_batches_as_there_are(loader: ClipLoader) -> None:
    for epoch in range(3):
        batches = iter(loader)
        assert places([next(batches) for _ in range(len(loader))]) == whole(epoch)
        assert loader.epoch == loader.state_dict()["epoch"] == epoch + 1
        assert loader.state_dict()["position"] == 0


def test_zip_with_a_range_first_or_last(loader: ClipLoader) -> None:
    for epoch in range(2):
        assert places(batch for _, batch in zip(range(BATCHES), loader, strict=False)) == whole(epoch)
    for epoch in range(2, 4):
        assert places(batch for batch, _ in zip(loader, range(BATCHES), strict=False)) == whole(epoch)


@pytest.mark.parametrize("limit", [1, 3])
def test_a_pass_left_early_is_followed_by_the_next_epoch(loader: ClipLoader, limit: int) -> None:
    for epoch in range(3):
        assert places(islice(loader, limit)) == whole(epoch)[:limit]
        assert (loader.epoch, loader.state_dict()["position"]) == (epoch, limit * 2)


def test_a_pass_of_which_nothing_was_taken_is_begun_again(loader: ClipLoader) -> None:
    iter(loader)
    assert places(loader) == whole(0)
    next(iter(loader))
    loader.load_state_dict(loader.state_dict())
    iter(loader)
    assert places(loader) == whole(1, 1)


def test_one_iterator_is_kept_and_the_epoch_named(loader: ClipLoader) -> None:
    """vjepa2's trainer, which asks for epochs 0 to 3, before and after its iterator has ended."""
    seen, batches = [], iter(loader)
    for epoch in range(4):
        loader.set_epoch(epoch)
        for _ in range(BATCHES):
            try:
                batch = next(batches)
            except StopIteration:
                batches = iter(loader)
                batch = next(batches)
            seen += places([batch])
    assert seen == [place for epoch in range(4) for place in whole(epoch)]


def test_an_epoch_named_inside_a_pass_comes_next_and_once(loader: ClipLoader) -> None:
    batches = iter(loader)
    next(batches)
    loader.set_epoch(5)
    assert loader.epoch == loader.state_dict()["epoch"] == 5
    assert places(islice(batches, 1)) == [(0, 1)]
    state = loader.state_dict()
    assert loader.epoch == state["epoch"] == 0 and state["position"] == 4
    assert places(batches) == whole(0, 2)
    assert loader.epoch == loader.state_dict()["epoch"] == 5
    assert places(loader) == whole(5)
    assert places(loader) == whole(6)


@pytest.mark.parametrize("order", [(3, 1, 1, 0), (0, 2, 5, 4)])
def test_epochs_in_any_order(loader: ClipLoader, order: tuple[int, ...]) -> None:
    for epoch in order:
        loader.set_epoch(epoch)
        assert loader.epoch == epoch
        assert places(islice(loader, 3)) == whole(epoch)[:3]


@pytest.mark.parametrize("named", [None, 1])
def test_a_loaded_place_is_kept_where_its_epoch_is_named(loader: ClipLoader, named: int | None) -> None:
    loader.set_epoch(1)
    next(iter(loader))
    loader.load_state_dict(loader.state_dict())
    if named is not None:
        loader.set_epoch(named)
    assert loader.first_batch == 1
    assert places(loader) == whole(1, 1)
    assert places(loader) == whole(2)


def test_state_after_every_batch_names_the_next(loader: ClipLoader) -> None:
    whole_run = [*whole(0), *whole(1)]
    batches = iter(loader)
    for number, place in enumerate(whole_run[:-1]):
        if number == BATCHES:
            batches = iter(loader)
        assert places([next(batches)]) == [place]
        state = loader.state_dict()
        assert (state["epoch"], state["position"] // 2) == whole_run[number + 1]
        assert loader.epoch == state["epoch"]


def test_an_older_pass_says_that_it_is_over(loader: ClipLoader) -> None:
    old = iter(loader)
    next(old)
    new = iter(loader)
    next(new)
    with pytest.raises(RuntimeError, match="another pass over this loader has begun"):
        next(old)
    assert places(new) == whole(1, 1)


def test_samplers_go_forward_only(loader: ClipLoader) -> None:
    """A trainer that counts from 0 after a resume, or names one epoch for two passes, repeats nothing."""
    loader.set_epoch(3)
    next(iter(loader))
    loader.load_state_dict(loader.state_dict())
    for named, expected in ((0, whole(3, 1)), (1, whole(4)), (4, whole(5)), (9, whole(9)), (9, whole(10))):
        loader.sampler.set_epoch(named)
        assert places(loader) == expected


def test_negative_epoch(loader: ClipLoader) -> None:
    with pytest.raises(ValueError, match=r"epoch must be >= 0 \(got -1\)"):
        loader.set_epoch(-1)


@pytest.mark.parametrize(("per_epoch", "served"), [(2, [0, 2]), (4, [0, 1, 2]), (8, [0, 1, 2, 3, 4, 5])])
@pytest.mark.parametrize("workers", [0, 2])
def test_published_loop_with_init_data(videos_csv: Path, workers: int, per_epoch: int, served: list[int]) -> None:
    loader, sampler = dropin.init_data(
        batch_size=2,
        transform=lambda frames: torch.from_numpy(frames[:, :32, :32].copy()),
        data="VideoDataset",
        root_path=str(videos_csv),
        clip_len=4,
        fps=4,
        num_workers=workers,
        pin_mem=False,
    )
    assert sampler is loader.sampler and len(sampler) == 8
    sampler.set_epoch(0)
    epochs, batches = [loader.epoch], iter(loader)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        for _ in range(per_epoch):
            try:
                next(batches)
            except StopIteration:
                sampler.set_epoch(epoch)
                epochs.append(loader.epoch)
                batches = iter(loader)
                next(batches)
    assert epochs == served
    loader.close()


@pytest.mark.parametrize("rank", range(5))
def test_ranks_without_a_sample_in_the_last_batch(videos_csv: Path, tmp_path: Path, rank: int) -> None:
    """Eight samples on five ranks, one each: the second batch has only three."""
    manager = DataManager(tiny(videos_csv, "data.batch_size=1", "mask=none"), rank, 5, output_dir=tmp_path)
    loader = manager.build_eval_loader()
    for epoch in range(2):
        assert loader.epoch == epoch
        assert len([*zip(range(len(loader)), loader, strict=True)]) == len(loader.batch_sampler) in (1, 2)
    assert len(loader.sampler) == sum(1 for _ in loader.sampler)


def test_eval_epochs_repeat_the_same_rows(videos_csv: Path, tmp_path: Path) -> None:
    loader = DataManager(tiny(videos_csv, "mask=none"), output_dir=tmp_path).build_eval_loader()
    next(iter(loader))
    first, second = ([batch["row"].tolist() for batch in loader] for _ in range(2))
    assert first == second == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_a_loader_built_before_its_process_group(
    videos_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = DataManager(tiny(videos_csv), output_dir=tmp_path)
    given = DataManager(tiny(videos_csv), rank=0, world_size=1, output_dir=tmp_path).build_train_loader()
    loader = manager.build_train_loader()
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with pytest.raises(UserError, match=r"rank 0 of 1, but this process is rank 1 of 2: build .* in train_dataloader"):
        iter(loader)
    assert places(islice(given, 1)) == [(0, 0)]


def test_only_a_world_size(videos_csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process has that Lightning started, before its trainer fits."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"RANK must be set when WORLD_SIZE is .*, build .* in train_dataloader"):
        DataManager(tiny(videos_csv))
    assert DataManager(tiny(videos_csv), rank=1, world_size=2).rank == 1
