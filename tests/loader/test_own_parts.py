"""Parts of a user's own that lack something, or give something wrong: one sentence each, and no traceback."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from vjepa_pipe import ConfigError, DataManager, ExperimentConfig, SampleError, allow_targets, compose
from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.instantiate import signature_faults
from vjepa_pipe.datasets import KeyedDataset, VideoDataset
from vjepa_pipe.sampling import SampleKey, generator
from vjepa_pipe.tasks.validate import validate

PLACES = {
    "data": "data",
    "mask": "mask",
    "decoder": "decoder",
    "loader": "loader.sampler",
    "data_aug": "data_aug",
    "task": "task",
}


class Nothing:
    pass


class NoLength:
    def __getitem__(self, index: int) -> Any:
        return index


class TorchBase(Dataset):
    def __len__(self) -> int:
        return 32


class Items(TorchBase):
    """Gives what `item` is, or makes of an index."""

    item: Any = None

    def __getitem__(self, index: int) -> Any:
        return self.item


class Unset(KeyedDataset):
    def __init__(self) -> None:
        pass

    def sample(self, key: SampleKey) -> dict[str, Any]:
        return {}


class Drawing:
    """Draws what `drawn` is."""

    drawn: Any = None

    def draw(self, rng: np.random.Generator, grid: tuple[int, int, int]) -> Any:
        return self.drawn


class Full:
    def draw(self, rng: np.random.Generator, grid: tuple[int, int, int]) -> Any:
        return torch.ones(grid, dtype=torch.bool)


class Order:
    at_position: Any = None

    def at(self, position: int) -> Any:
        return self.at_position


class Opening:
    """Opens what `reader` is."""

    reader: Any = None

    def open(self, path: str) -> Any:
        return self.reader


class Frames:
    num_frames, fps = 100, 25.0

    def __init__(self, frames: Any) -> None:
        self.frames = frames

    def read(self, indices: Any) -> Any:
        if isinstance(self.frames, Exception):
            raise self.frames
        return self.frames


def tensors() -> TensorDataset:
    numbers = torch.arange(8)
    return TensorDataset(numbers.float().view(8, 1, 1, 1, 1).expand(8, 3, 4, 32, 32), numbers)


def one_argument(experiment: ExperimentConfig) -> None:
    pass


NAME = f"{__name__}.{{}}".format


@pytest.fixture(autouse=True)
def allowed() -> None:
    allow_targets(f"{__name__}.*")


def experiment(place: str, target: str, *overrides: str) -> ExperimentConfig:
    small = ["mask=none", "data.num_videos=4", "data.batch_size=2", "data.img_size=32", "data.frames_per_clip=4"]
    return compose([*small, "data.num_workers=0", f"{PLACES[place]}._target_={target}", *overrides])


def loader_of(config: ExperimentConfig, folder: Path) -> Any:
    return closing(DataManager(config, output_dir=folder).build_train_loader())


def one_batch(config: ExperimentConfig, folder: Path) -> Any:
    with loader_of(config, folder) as loader:
        return next(iter(loader))


@pytest.mark.parametrize(("place", "name", "fault"), [
    ("data", "Nothing", r"has no __len__\(\) and __getitem__\(index\) or __len__\(\) and sample\(key\): a data"),
    ("data", "NoLength", r"has no __len__\(\): a dataset needs it \(docs/extending\.md\)"),
    ("mask", "Nothing", r"has no draw\(rng, grid\) or __call__\(samples\): a mask or collator needs it"),
    ("decoder", "Nothing", r"has no open\(path\): a decoder needs it"),
    ("loader", "Nothing", r"has no at\(position\): a sampler needs it"),
    ("data_aug", "Nothing", r"has no get_train_transform\(\) and get_eval_transform\(\): a transform pipeline needs"),
])  # fmt: skip
def test_what_a_class_lacks_is_found_by_check_and_when_it_is_built(
    place: str, name: str, fault: str, tmp_path: Path
) -> None:
    config = experiment(place, NAME(name))
    whole = rf"{PLACES[place]}\._target_: {NAME(name)} {fault}"
    with pytest.raises(ConfigError, match=whole):
        raise ConfigError(list(signature_faults(config)))
    with pytest.raises(ConfigError, match=whole):
        one_batch(config, tmp_path)


def test_every_part_is_checked_at_once() -> None:
    config = experiment("task", NAME("one_argument"), f"decoder._target_={NAME('Nothing')}")
    transform = {"_target_": NAME("Nothing")}
    config = replace(config, data_aug=replace(config.data_aug, extra_transforms=[transform]))
    places = [fault.partition(":")[0] for fault in signature_faults(config)]
    assert places == ["data_aug.extra_transforms[0]._target_", "decoder._target_", "task._target_"]


CLIP = torch.zeros(3, 4, 32, 32)
FRAMES = torch.zeros(4, 40, 40, 3, dtype=torch.uint8)


@pytest.mark.parametrize("item", [
    {"frames": FRAMES, "label": 1},
    {"frames": FRAMES.numpy(), "caption": "a"},
    {"video": CLIP},
    FRAMES,
    FRAMES.permute(0, 3, 1, 2),
    CLIP,
    (CLIP, 3),
    [FRAMES, "text"],
])  # fmt: skip
def test_items_that_hold_a_clip(item: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Items, "item", item)
    batch = one_batch(
        experiment(
            "data",
            NAME("Items"),
            "mask=blocks",
            "+mask.masks={few:{spatial_scale:[0.3,0.3],num_blocks:1,aspect_ratio:[1,1]}}",
        ),
        tmp_path,
    )
    assert batch["video"].shape == (2, 3, 4, 32, 32) and batch["video"].dtype == torch.float32
    assert len(batch["masks_enc"]) == len(batch["masks_pred"]) > 0
    assert batch["source"] == ["Items"] * 2 and len(batch["key"]) == 2
    rest = {"label", "caption"} & set(batch)
    assert rest == ({"caption"} if isinstance(item, dict) and "caption" in item else {"label"} if isinstance(
        item, (tuple, list)) or (isinstance(item, dict) and "label" in item) else set())  # fmt: skip


@pytest.mark.parametrize(("item", "found"), [
    ([1, 2, 3], "is of type list"),
    ({"a": 1}, "has a, but neither 'video' nor 'frames'"),
    ({}, "has nothing, but neither"),
    ({"video": CLIP[0]}, r"has as 'video' float32 \[4, 32, 32\]"),
    ({"video": "a.mp4"}, "has as 'video' a value of type str"),
    ({"frames": CLIP}, r"has as 'frames' float32 \[3, 4, 32, 32\]"),
    ({"frames": FRAMES[..., :2]}, r"has as 'frames' uint8 \[4, 40, 40, 2\]"),
    ({"video": CLIP, "key": 1}, "has 'key', a name that the loader uses itself"),
    ({"video": CLIP, "masks_enc": 1}, "has 'masks_enc', a name that the loader uses itself"),
    ({"video": CLIP, "context_distance": 1}, "has 'context_distance', a name that the loader uses itself"),
    ({"video": CLIP.long()}, r"has as 'video' int64 \[3, 4, 32, 32\]"),
    ({"video": CLIP.to_sparse()}, r"has as 'video' sparse_coo float32 \[3"),
    ({"video": CLIP.numpy().astype(object)}, r"has as 'video' object \[3, 4, 32, 32\]"),
])  # fmt: skip
def test_items_that_hold_none(item: Any, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Items, "item", item)
    with pytest.raises(
        UserError, match=rf"{NAME('Items')}: item \d+ {found}.*\[C, T, H, W\], .* \(docs/extending\.md\)"
    ):
        one_batch(experiment("data", NAME("Items")), tmp_path)


def test_clips_of_two_sizes_in_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Items, "__getitem__", lambda _, index: {"video": torch.zeros(3, 4, 32, 32 + index)})
    with pytest.raises(UserError, match=r"'video' differs within a batch: \[3, 4, 32, \d+\] and \[3, 4, 32, \d+\]"):
        one_batch(experiment("data", NAME("Items")), tmp_path)


def test_a_name_that_only_some_items_of_a_batch_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [{}, {"label": 1}] * 16
    monkeypatch.setattr(Items, "__getitem__", lambda _, index: {"video": CLIP, **labels[index]})
    with (
        pytest.raises(UserError, match="'label' is in some samples of a batch and not in others"),
        loader_of(experiment("data", NAME("Items")), tmp_path) as loader,
    ):
        for batch in loader:
            assert ("label" in batch) == bool(batch["row"][0] % 2)


def test_whole_numbers_of_numpy_are_a_tensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Items, "item", (CLIP, np.int32(3)))
    label = one_batch(experiment("data", NAME("Items")), tmp_path)["label"]
    assert label.tolist() == [3, 3] and label.dtype == torch.int64


def test_torchs_own_datasets_and_its_base_class(tmp_path: Path) -> None:
    batch = one_batch(experiment("data", NAME("tensors")), tmp_path)
    assert batch["source"] == ["TensorDataset"] * 2 and batch["label"].tolist() == [
        int(v[0]) for v in batch["video"].flatten(1)
    ]
    with pytest.raises(UserError, match=r"TorchBase has no __getitem__\(index\): a dataset needs it"):
        one_batch(experiment("data", NAME("TorchBase")), tmp_path)
    with pytest.raises(ConfigError, match=r"data\._target_: .*Unset must call KeyedDataset\.__init__"):
        DataManager(experiment("data", NAME("Unset"))).build_train_dataset()


class Damaged(Items):
    def __getitem__(self, index: int) -> Any:
        if index % 4 == 0:
            raise SampleError(f"{index} is damaged")
        if index % 4 == 1:
            raise FileNotFoundError(2, "No such file", f"{index}.mp4")
        return CLIP + torch.rand(())


def test_items_that_cannot_be_read_are_replaced(tmp_path: Path) -> None:
    config = experiment("data", NAME("Damaged"))
    config = replace(config, loader=replace(config.loader, max_failure_rate=1.0))
    with loader_of(config, tmp_path) as loader:
        assert sum(len(batch["video"]) for batch in loader) == 32
    bad = (tmp_path / "quarantine.jsonl").read_text()
    assert len(bad.splitlines()) == 16 and "0 is damaged" in bad and "No such file: '1.mp4'" in bad


def batches_of(loader: Any) -> Iterator[torch.Tensor]:
    yield from (batch["video"].sum(dim=(1, 2, 3, 4)) for batch in loader)


def test_what_an_item_draws_follows_from_its_key(tmp_path: Path) -> None:
    config = experiment("data", NAME("Damaged"))
    state = torch.random.get_rng_state()
    found = []
    for workers in (0, 2):
        data = replace(config.data, num_workers=workers)
        with loader_of(replace(config, data=data), tmp_path / str(workers)) as loader:
            found.append(torch.cat(list(batches_of(loader))))
    assert torch.equal(found[0], found[1]) and len(found[0].unique()) == 32
    assert torch.equal(torch.random.get_rng_state(), state)


class Keyed:
    def __init__(self, transform: Any, frames_per_clip: int) -> None:
        self.transform, self.frames = transform, frames_per_clip

    def __len__(self) -> int:
        return 8

    def sample(self, key: SampleKey) -> dict[str, Any]:
        frames = generator(key, "noise").integers(0, 255, (self.frames, 40, 40, 3), dtype=np.uint8)
        return {"video": self.transform(frames, rng=generator(key, "augment"))}

    def path(self, index: int) -> str:
        return f"noise {index}"

    def fingerprint(self) -> str:
        return "noise"


def test_a_dataset_that_draws_from_keys_itself(tmp_path: Path) -> None:
    config = experiment("data", NAME("Keyed"))
    with loader_of(config, tmp_path) as loader:
        assert next(iter(loader))["video"].shape == (2, 3, 4, 32, 32)
        assert loader.dataset.sources[0].path(3) == "noise 3"
        saved = loader.state_dict()
    with loader_of(config, tmp_path) as loader:
        loader.load_state_dict(saved)


@pytest.mark.parametrize(("given", "found"), [
    ([1, 2], r"must give bool \[2, 2, 2\] \(got int64 \[2\]\)"),
    (np.ones((2, 2, 2), bool), r"must let the encoder see some of the 8 tokens and hide some \(got 8\)"),
    (np.zeros((2, 2, 2), bool), r"hide some \(got 0\)"),
])  # fmt: skip
def test_masks_that_are_none(given: Any, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Drawing, "drawn", given)
    with pytest.raises(ConfigError, match=rf"mask\._target_: Drawing\.draw\(rng, grid\) .*{found}"):
        one_batch(experiment("mask", NAME("Drawing")), tmp_path)


def test_a_mask_on_clips_that_hold_no_whole_tokens(tmp_path: Path) -> None:
    words = ["data.img_size=40", "mask.tubelet_size=3"]
    with pytest.raises(ConfigError) as error:
        one_batch(experiment("mask", NAME("Full"), *words), tmp_path)
    assert len(error.value.faults) == 2 and "data.img_size must be a multiple of mask.patch_size=16" in str(error.value)


@pytest.mark.parametrize(("given", "found"), [
    (4, r"gave 4: it must be a row number from 0 to 3"),
    ("a", "gave 'a'"),
    (SampleKey(0, 0, 0, 1, 0), r"gave SampleKey\("),
])  # fmt: skip
def test_samplers_that_give_no_row(given: Any, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "at_position", given)
    with pytest.raises(UserError, match=rf"Order\.at\(0\) {found}"):
        DataManager(experiment("loader", NAME("Order")), output_dir=tmp_path).build_train_loader()


@pytest.mark.parametrize(("reader", "found"), [
    (None, r"gave NoneType, which has no num_frames and no fps and no read\(indices\)"),
    (Frames(np.zeros((4, 3, 8, 8), np.uint8)), r"read must give uint8 \[4, height, width, 3\] \(got uint8 \[4, 3"),
    (Frames(FRAMES.float()), r"got float32 \[4, 40, 40, 3\]"),
    (Frames(RuntimeError("moov atom not found")), r"could not be read.*RuntimeError: moov atom not found"),
])  # fmt: skip
def test_decoders_that_give_no_frames(reader: Any, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Opening, "reader", reader)
    with pytest.raises(UserError, match=found):
        one_batch(experiment("decoder", NAME("Opening")), tmp_path)


def test_an_error_of_the_program_is_not_taken_for_one_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Opening, "reader", Frames(NameError("name 'x' is not defined")))
    with pytest.raises(NameError, match="name 'x' is not defined"):
        one_batch(experiment("decoder", NAME("Opening")), tmp_path)
    monkeypatch.setattr(Opening, "reader", Frames(FRAMES.numpy()))
    assert one_batch(experiment("decoder", NAME("Opening")), tmp_path)["video"].shape == (2, 3, 4, 32, 32)


class Empty(Items):
    def __len__(self) -> int:
        return 0


class HalfLength(Items):
    def __len__(self) -> Any:
        return 2.5


@pytest.mark.parametrize(("name", "fault"), [
    ("Empty", "gives a dataset without items"),
    ("HalfLength", "the dataset HalfLength cannot be counted: 'float' object cannot be"),
])  # fmt: skip
def test_datasets_that_cannot_be_counted(name: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"data\._target_: .*{fault}"):
        one_batch(experiment("data", NAME(name), "loader.iterations_per_epoch=1"), tmp_path)


class Both(Items):
    """`sample` is a method of its own, as of a pool of items."""

    def __getitem__(self, index: int) -> Any:
        return CLIP

    def sample(self, number: int) -> Any:
        raise AssertionError(number)


def test_sample_is_asked_only_in_place_of_getitem(tmp_path: Path) -> None:
    assert one_batch(experiment("data", NAME("Both")), tmp_path)["video"].shape == (2, 3, 4, 32, 32)


@pytest.mark.parametrize(
    "array", [np.zeros((3, 4, 32, 32), np.float32)[::-1], np.broadcast_to(np.float32(1), (3, 4, 32, 32))]
)
def test_arrays_that_torch_cannot_view(array: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Items, "item", {"video": array})
    assert one_batch(experiment("data", NAME("Items")), tmp_path)["video"].shape == (2, 3, 4, 32, 32)


class Pipeline:
    """Gives `transform` for training."""

    transform: Any = None

    def get_train_transform(self) -> Any:
        return self.transform

    def get_eval_transform(self) -> Any:
        return None


@pytest.mark.parametrize(("transform", "found"), [
    (3, "must be callable (got a value of type int"),
    (lambda _: "clip", "must give a dense tensor [C, T, H, W], floating point or uint8 (got a value of type str"),
    (lambda _: np.zeros((3, 4, 32, 32), np.float32), "(got float32 [3, 4, 32, 32]"),
    (lambda _: CLIP[0], "(got float32 [4, 32, 32]"),
    (lambda _: CLIP.long(), "(got int64 [3, 4, 32, 32]"),
])  # fmt: skip
def test_pipelines_that_give_no_clip(
    transform: Any, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pipeline, "transform", staticmethod(transform) if callable(transform) else transform)
    with pytest.raises(UserError, match=r"data_aug\._target_: a transform.*" + re.escape(found)):
        one_batch(experiment("data_aug", NAME("Pipeline")), tmp_path)


class DrawsNothing:
    def draw(self) -> Any:
        pass


class Outer:
    class Inner(Drawing):
        drawn = [[1], [2, 3]]


INSTANCE = Items()


@pytest.mark.parametrize(("place", "name", "fault"), [
    ("mask", "DrawsNothing", r"has no draw\(rng, grid\) or __call__\(samples\)"),
    ("mask", "Outer.Inner", r"Outer\.Inner\.draw\(rng, grid\) must give bool \[2, 2, 2\] \(got object \[\]\)"),
    ("mask", "Outer.Other", r"test_own_parts\.Outer has no Other"),
    ("data", "INSTANCE", "INSTANCE is neither a class nor a function, but of type Items"),
])  # fmt: skip
def test_names_and_methods_that_do_not_fit(place: str, name: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{place}\._target_: .*{fault}"):
        one_batch(experiment(place, NAME(name)), tmp_path)


class OfNumbers(Frames):
    def __init__(self, num_frames: Any, fps: Any) -> None:
        super().__init__(FRAMES.numpy())
        self.num_frames, self.fps = num_frames, fps


@pytest.mark.parametrize(("num_frames", "fps", "found"), [
    (4, None, r"Opening\.open\('.*\.mp4'\) gave num_frames=4 and fps=None: they must be"),
    (len, 25.0, r"gave num_frames=<built-in function len> and"),
    (0, 25.0, r"\.mp4: num_frames=0 and fps=25\.0 are those of no video"),
    (10**30, 25.0, "are those of no video"),
    (4, float("nan"), "fps=nan are those of no video"),
])  # fmt: skip
def test_readers_whose_numbers_are_none(
    num_frames: Any, fps: Any, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Opening, "reader", OfNumbers(num_frames, fps))
    with pytest.raises(UserError, match=found):
        one_batch(experiment("decoder", NAME("Opening")), tmp_path)


class Locked(Items):
    def __init__(self) -> None:
        self.lock = threading.Lock()


def test_what_a_spawned_worker_cannot_be_given_is_named(tmp_path: Path) -> None:
    config = experiment("data", NAME("Locked"), "loader.start_method=spawn", "data.num_workers=1")
    with pytest.raises(UserError, match=r"a worker cannot be given Locked\.lock: cannot pickle .*start_method=fork"):
        one_batch(config, tmp_path)


def test_validate_says_that_it_reads_lists_of_videos(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"this task reads lists of videos; data\._target_=.*Items gives others"):
        validate(experiment("data", NAME("Items"), "task=validate"), tmp_path)


class Still:
    keeps_geometry = True

    def __call__(self, clip: torch.Tensor) -> torch.Tensor:
        return clip


class Moving(Still):
    keeps_geometry = False


def test_a_transform_that_may_move_pixels_is_warned_of_on_robot_data(caplog: pytest.LogCaptureFixture) -> None:
    config = compose(["data_aug=robotics", "mask=none"])
    for name, warned in (("Still", False), ("Moving", True)):
        caplog.clear()
        aug = replace(config.data_aug, extra_transforms=[{"_target_": NAME(name)}])
        DataManager(replace(config, data_aug=aug)).build_transforms()
        assert (f"{NAME(name)} is not known to leave pixels where they are" in caplog.text) is warned


class Labelled(VideoDataset):
    def __getitem__(self, index: Any) -> dict[str, Any]:
        return {**super().__getitem__(index), "label": 77}


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_subclass_may_change_what_getitem_gives(tmp_path: Path, repeats: int) -> None:
    config = experiment("data", NAME("Labelled"), f"data.repeated_sampling={repeats}")
    assert one_batch(config, tmp_path)["label"].tolist() == [77, 77]
