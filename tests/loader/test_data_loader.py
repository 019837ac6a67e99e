"""The loader as other people's code sees it: a torch DataLoader."""

from __future__ import annotations

from pathlib import Path

import pytest
from loading import loader_of, tiny
from torch.utils.data import DataLoader, DistributedSampler

from vjepa_pipe import DataManager
from vjepa_pipe.config.errors import UserError


@pytest.mark.parametrize("workers", [0, 2])
def test_attributes_say_what_is_true(videos_csv: Path, tmp_path: Path, workers: int) -> None:
    loader = loader_of(tiny(videos_csv, f"data.num_workers={workers}", "mask=none"), tmp_path)
    assert isinstance(loader, DataLoader) and isinstance(loader.sampler, DistributedSampler)
    assert (loader.batch_size, loader.num_workers, loader.drop_last, len(loader)) == (2, workers, True, 4)
    assert (loader.prefetch_factor is None) == (workers == 0)
    keys = list(loader.batch_sampler)
    assert [key for batch in keys for key in batch] == list(loader.sampler)
    assert [batch["key"] for batch in loader] == keys
    assert DataManager(tiny(videos_csv), output_dir=tmp_path).build_eval_loader().drop_last is False
    loader.close()


@pytest.mark.parametrize("name", ["batch_size", "num_workers", "collate_fn", "sampler", "dataset", "prefetch_factor"])
def test_what_is_fixed_cannot_be_set(videos_csv: Path, tmp_path: Path, name: str) -> None:
    loader = loader_of(tiny(videos_csv), tmp_path)
    with pytest.raises(ValueError, match=f"{name} attribute should not be set after ClipLoader is initialized"):
        setattr(loader, name, 3)


def test_a_sampler_of_a_trainer_is_refused(videos_csv: Path, tmp_path: Path) -> None:
    loader = loader_of(tiny(videos_csv), tmp_path)
    with pytest.raises(UserError, match=r"tried to replace the sampler of a ClipLoader by DistributedSampler"):
        type(loader.batch_sampler)(DistributedSampler(loader.dataset, 2, 0), 2, False)
