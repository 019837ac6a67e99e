"""Checkpoints: whole or not there, kept or removed, and nothing in them is code."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from vjepa_pipe.config import UserError
from vjepa_pipe.records.files import read_mapping
from vjepa_pipe.tasks import train_checkpoints
from vjepa_pipe.tasks.train_checkpoints import Checkpoints, find_checkpoint, load_tensors


def tensors(value: float = 0.0) -> dict[str, torch.Tensor]:
    return {"model.a": torch.full((4, 3), value), "optimizer.a.step": torch.tensor(value), "model.b": torch.ones(2)}


def saved(folder: Path, *steps: int, keep: int = 2, kept: int = 0) -> Path:
    checkpoints = Checkpoints(folder, keep, lambda step: bool(kept) and step % kept == 0)
    for step in steps:
        checkpoints.save(step, tensors(step), {"step": step})
    return folder / "checkpoints"


def test_the_newest_are_kept_and_those_of_some_steps(tmp_path: Path):
    folder = saved(tmp_path, 2, 5, 10, 11, 12, keep=2, kept=5)
    assert sorted(one.name for one in folder.iterdir()) == [
        "latest", "step_000000005", "step_000000010", "step_000000011", "step_000000012",
    ]  # fmt: skip
    for path in (tmp_path, folder, folder / "step_000000012"):
        assert find_checkpoint(path) == folder / "step_000000012"
    loaded = tensors()
    load_tensors(find_checkpoint(tmp_path), loaded)
    assert read_mapping(find_checkpoint(tmp_path) / "state.json") == {"step": 12}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors(12).items())


def test_a_run_that_goes_on_from_an_older_one_keeps_what_it_writes(tmp_path: Path):
    folder = saved(tmp_path, 1, 2, 3, keep=3)
    (folder / "step_best").mkdir()  # somebody's own copy
    saved(tmp_path, 2, keep=1)
    assert find_checkpoint(tmp_path).name == "step_000000002" and read_mapping(
        find_checkpoint(tmp_path) / "state.json"
    ) == {"step": 2}
    assert sorted(one.name for one in folder.glob("step_*")) == ["step_000000002", "step_000000003", "step_best"]


def test_a_save_that_was_cut_short_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = saved(tmp_path, 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"cannot write the checkpoint .*step_000000002: .*No space left"):
            saved(tmp_path, 2)

    def full_where_torch_fails_at_more(*_: object, **__: object) -> None:
        try:
            full(0)
        except OSError:
            raise RuntimeError("unexpected pos 704 vs 598")  # noqa: B904 (as torch does it)

    with monkeypatch.context() as patch:
        patch.setattr(train_checkpoints, "dcp_save", full_where_torch_fails_at_more)
        with pytest.raises(UserError, match=r"step_000000002: No space left"):
            saved(tmp_path, 2)
    assert find_checkpoint(tmp_path).name == "step_000000001"
    assert (folder / ".step_000000002").is_dir()
    saved(tmp_path, 3)
    assert not list(folder.glob(".step_*"))


def test_weights_of_another_architecture_are_named(tmp_path: Path):
    checkpoint = find_checkpoint(saved(tmp_path, 1))
    here = {
        "model.a": torch.ones(4, 2),
        "optimizer.a.step": torch.tensor(1.0),
        **{f"new.{i}": torch.ones(1) for i in range(5)},
    }
    before = {name: tensor.clone() for name, tensor in here.items()}
    with pytest.raises(UserError) as error:
        load_tensors(checkpoint, here)
    assert str(error.value) == (
        f"the checkpoint {checkpoint} does not fit this experiment's model: missing: new.0, new.1, new.2 and 2 more; "
        "not known: model.b; of another shape: model.a [4, 3] instead of [4, 2]"
    )
    assert all(torch.equal(before[name], tensor) for name, tensor in here.items())


@pytest.mark.parametrize("name", [".metadata", "__0_0.distcp", "latest", "state.json"])
def test_damage_is_one_message(tmp_path: Path, name: str):
    checkpoint = find_checkpoint(saved(tmp_path, 1))
    file = checkpoint.parent / name if name == "latest" else checkpoint / name
    file.write_bytes(b"../../x" if name == "latest" else file.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"damaged|not in that folder"):
        found = find_checkpoint(tmp_path)
        read_mapping(found / "state.json")
        load_tensors(found, tensors())


def test_damage_without_words_and_what_would_be_waited_for(tmp_path: Path):
    checkpoint = find_checkpoint(saved(tmp_path, 1))
    os.truncate(checkpoint / "__0_0.distcp", 0)
    with pytest.raises(UserError, match=r"is damaged: \S"):
        load_tensors(checkpoint, tensors())
    (checkpoint / ".metadata").unlink()
    os.mkfifo(checkpoint / ".metadata")
    with pytest.raises(UserError, match=r"is damaged: \.metadata: not a file but a fifo"):
        load_tensors(checkpoint, tensors())


def test_a_file_that_asks_for_all_memory_is_damaged(tmp_path: Path):
    checkpoint = find_checkpoint(saved(tmp_path, 1))
    (checkpoint / ".metadata").write_bytes(b"\x80\x04\x8e" + (2**62).to_bytes(8, "little"))
    with pytest.raises(UserError, match="is damaged"):
        load_tensors(checkpoint, tensors())


class Attack:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch attacked",)


def test_a_checkpoint_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    checkpoint = find_checkpoint(saved(tmp_path, 1))
    (checkpoint / ".metadata").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(UserError, match=r"names posix\.system, which is no part of a checkpoint"):
        load_tensors(checkpoint, tensors())
    assert not Path("attacked").exists()


def test_where_there_is_none(tmp_path: Path):
    with pytest.raises(UserError, match="holds no checkpoint of task=train"):
        find_checkpoint(tmp_path)
