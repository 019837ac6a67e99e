"""Memory of batches is used again, and never while something still looks at it."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch
from loading import loader_of, tiny

from vjepa_pipe.loader.blocks import Blocks, BorrowedBlocks


def address(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def test_memory_comes_back_when_the_last_view_is_gone() -> None:
    blocks = Blocks()
    first = blocks.new((2, 3, 4), torch.float32)
    place, view = address(first), first[1, 1:]
    del first
    gc.collect()
    second = blocks.new((2, 3, 4), torch.float32)
    assert address(second) != place
    del view
    third = blocks.new((2, 3), torch.uint8)
    assert address(third) == place and third.shape == (2, 3) and third.dtype == torch.uint8
    assert blocks.new((4,), torch.bfloat16).dtype == torch.bfloat16  # numpy knows no such type: fresh memory


def test_lent_memory_comes_back_only_when_the_borrower_has_dropped_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vjepa_pipe.loader.blocks.parent_process", lambda: "as in a worker")
    blocks, borrowed = Blocks(), BorrowedBlocks()
    batch = blocks.new((2, 3), torch.float32)
    batch.copy_(torch.arange(6.0).view(2, 3))
    place = address(batch)
    got = borrowed.loads(*blocks.dumps({"video": batch, "part": batch[:, 1], "label": torch.tensor([1])}))
    del batch
    assert torch.equal(got["video"], torch.arange(6.0).view(2, 3))
    assert got["part"].tolist() == [1, 4] and got["label"].tolist() == [1]
    assert address(blocks.new((2, 3), torch.float32)) != place
    row = got["part"][0]
    del got
    blocks.give_back(borrowed.dropped())
    assert address(blocks.new((2, 3), torch.float32)) != place
    del row
    dropped = borrowed.dropped()
    assert len(dropped) == 1
    blocks.give_back(dropped)
    assert address(blocks.new((2, 3), torch.float32)) == place


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_settles_on_few_blocks_and_spares_what_is_kept(videos_csv: Path, tmp_path: Path, workers: int) -> None:
    loader = loader_of(tiny(videos_csv, f"data.num_workers={workers}", "data.batch_size=1"), tmp_path)
    kept, copies, places = [], [], []
    for _ in range(6):
        for batch in loader:
            places.append(address(batch["video"]))
            if len(kept) < 3:
                kept.append(batch["video"])
                copies.append(batch["video"].clone())
    assert len(places) == 48 and len(set(places)) < 20
    assert all(torch.equal(one, other) for one, other in zip(kept, copies, strict=True))
