"""Captioned video through DataManager: workers, ranks, bad samples, both batch forms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from captioned import save_tokenizer, write_webvid

from vjepa_pipe import ConfigError, DataManager, compose
from vjepa_pipe.config import ExperimentConfig


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_webvid(tmp_path_factory.mktemp("webvid"), ["9999999", "9999998"])


@pytest.fixture(autouse=True)
def work_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad files are written down in the working folder."""
    monkeypatch.chdir(tmp_path)


def experiment(root: Path, *overrides: str) -> ExperimentConfig:
    return compose([
        "data=webvid", f"data.data_root={root}", "data.max_frames=4", "data.frame_size=32", "data.batch_size=2",
        "data.num_workers=0", *overrides,
    ])  # fmt: skip


def test_batches_of_a_language_model(root: Path, tmp_path: Path) -> None:
    text = [f"data.text.tokenizer_path={save_tokenizer(tmp_path)}", "data.text.max_text_len=10", "data.prompt='Say: '"]
    batches = list(DataManager(experiment(root, *text)).build_train_loader())
    assert len(batches) == 3
    for batch in batches:
        assert batch["pixel_values"].shape == (2, 4, 3, 32, 32)
        assert batch["frame_mask"].shape == batch["frame_times"].shape == batch["clip_indices"].shape == (2, 4)
        assert batch["input_ids"].shape == batch["labels"].shape == (2, 10)
        assert batch["decode_ok"].tolist() == [True, True]
        assert len(batch["caption"]) == len(batch["video_id"]) == 2
        assert "masks_enc" not in batch


def test_batches_of_vjepa(root: Path) -> None:
    batches = list(DataManager(experiment(root, "data.output.layout=vjepa", "data.frame_size=64")).build_train_loader())
    for batch in batches:
        assert batch["video"].shape == (2, 3, 4, 64, 64)
        assert len(batch["masks_enc"]) == len(batch["masks_pred"]) == 2
        assert batch["frame_mask"].shape == (2, 4)
        assert len(batch["caption"]) == 2


@pytest.mark.parametrize("layout", ["vlm", "vjepa"])
def test_eval_reads_every_sample_once(layout: str, tmp_path: Path) -> None:
    config = experiment(write_webvid(tmp_path), f"data.output.layout={layout}", "data.batch_size=3")
    batches = list(DataManager(config).build_eval_loader())
    assert [row for batch in batches for row in batch["row"].tolist()] == [0, 1, 2, 3]
    assert "masks_enc" not in batches[0]


def test_zero_masked_is_counted_like_the_others(root: Path) -> None:
    config = experiment(root, "loader.on_bad_sample=zero_masked")
    batches = list(DataManager(config).build_train_loader())
    rows = [row for batch in batches for row in batch["row"].tolist()]
    assert sorted(rows) == list(range(6))
    bad = [b for batch in batches for sample in batch["replaced"] for b in sample]
    assert sorted(b.row for b in bad) == [4, 5]
    assert sum(int((~batch["decode_ok"]).sum()) for batch in batches) == 2


@pytest.mark.parametrize(("workers", "method"), [(2, "fork"), (1, "spawn")])
def test_workers_give_the_same_batches_after_a_sample_was_read_here(root: Path, workers: int, method: str) -> None:
    manager = DataManager(experiment(root, "loader.on_bad_sample=zero_masked"))
    expected = list(manager.build_train_loader())  # decodes in this process, which is then forked
    parallel = experiment(
        root, "loader.on_bad_sample=zero_masked", f"data.num_workers={workers}", f"loader.start_method={method}"
    )
    found = list(DataManager(parallel).build_train_loader())
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a["pixel_values"], b["pixel_values"])
        assert a["video_id"] == b["video_id"]


def test_ranks_share_an_epoch(root: Path) -> None:
    config = experiment(root, "data.batch_size=1", "loader.on_bad_sample=zero_masked")
    ranks = [list(DataManager(config, rank, 2).build_train_loader()) for rank in range(2)]
    assert sorted(batch["row"].item() for rank in ranks for batch in rank) == list(range(6))


@pytest.mark.parametrize(("overrides", "message"), [
    (["data.data_root=/no/such/folder"], "data.data_root: /no/such/folder is not a folder"),
    (["data.data_root=''"], "data.data_root is empty: set it, or the environment variable WEBVID_ROOT, to"),
])  # fmt: skip
def test_no_folder(overrides: list[str], message: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBVID_ROOT", raising=False)
    with pytest.raises(ConfigError, match=message):
        DataManager(experiment(root, *overrides)).build_train_loader()


def test_folder_named_by_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBVID_ROOT", str(root))
    assert len(DataManager(experiment(root, "data.data_root=''")).build_train_loader()) == 3
