"""Small experiments for the tests of loading, and what their batches are made of."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from vjepa_pipe import DataManager, ExperimentConfig, allow_targets, compose
from vjepa_pipe.loader import ClipLoader

allow_targets("hazards.*")

TINY = ["data=csv", "data.frames_per_clip=4", "data.img_size=64", "data.batch_size=2", "data.num_workers=0"]


def tiny(csv: str | Path | Sequence[str | Path], *overrides: str) -> ExperimentConfig:
    """An experiment with masks, crops and noise, small enough to be read many times over."""
    paths = [csv] if isinstance(csv, (str, Path)) else csv
    return compose([*TINY, f"data.data_paths=[{','.join(map(str, paths))}]", "data_aug.random_erasing=0.5", *overrides])


def loader_of(experiment: ExperimentConfig, folder: Path, rank: int = 0, world: int = 1) -> ClipLoader:
    """The train loader of a rank."""
    return DataManager(experiment, rank, world, output_dir=folder).build_train_loader()


def tensors_of(batch: dict[str, Any]) -> list[torch.Tensor]:
    """Everything that a trainer is fed."""
    return [batch["video"], batch["label"], *batch.get("masks_enc", []), *batch.get("masks_pred", [])]


def joined(batches: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The batches of all ranks as one, with what `digest` looks at."""
    tensors = {name: torch.cat([batch[name] for batch in batches]) for name in ("video", "label")}
    masks = {
        name: [torch.cat(same) for same in zip(*(batch[name] for batch in batches), strict=True)]
        for name in ("masks_enc", "masks_pred")
        if name in batches[0]
    }
    return {"key": [key for batch in batches for key in batch["key"]]} | tensors | masks


def digest(batch: dict[str, Any]) -> str:
    """A hash of all bits of a batch."""
    state = hashlib.blake2b(repr(batch["key"]).encode(), digest_size=12)
    for tensor in tensors_of(batch):
        state.update(tensor.contiguous().numpy().tobytes())
    return state.hexdigest()


def digests(batches: Iterable[dict[str, Any]]) -> list[str]:
    """A hash for each batch."""
    return [digest(batch) for batch in batches]


def rows_csv(file: Path, videos_csv: Path, bad: dict[int, str], rows: int = 8) -> Path:
    """An annotation file of good videos, but for rows that are copies under another name.

    Args:
        file: Where to write it; the copies lie beside it.
        videos_csv: The good videos.
        bad: For row numbers, the name of the copy; a name that ends in `.txt` holds text instead.
        rows: How many rows, the good videos round and round.
    """
    good = [(videos_csv.parent / line.rsplit(" ", 1)[0]).resolve() for line in videos_csv.read_text().splitlines()]
    lines = []
    for row in range(rows):
        path = good[row % len(good)]
        if row in bad:
            copy = file.parent / bad[row]
            if copy.suffix == ".txt":
                copy = copy.with_suffix(".mp4")
                copy.write_text("this is not a video")
            else:
                shutil.copy(path, copy)
            path = copy
        lines.append(f"{path} {row}\n")
    file.write_text("".join(lines))
    return file
