"""Memory of batches is used again, and never while something still looks at it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from captioned import save_tokenizer, write_webvid
from loading import loader_of, tiny

from vjepa_pipe import compose
from vjepa_pipe.loader.blocks import SMALL_BYTES, Blocks, BorrowedBlocks
from vjepa_pipe.loader.fetch import BatchTask
from vjepa_pipe.loader.nested import tensors_in
from vjepa_pipe.synthetic import write_synthetic_droid


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
    assert blocks.new((4,), torch.bfloat16).dtype == torch.bfloat16  # a type that NumPy does not know


def test_small_memory_leaves_large_blocks_alone() -> None:
    blocks = Blocks()
    large, middle = (blocks.new((size,), torch.uint8) for size in (1_000_000, 300_000))
    places = address(large), address(middle)
    del large, middle
    mask = blocks.new((200_000,), torch.uint8)
    assert address(mask) == places[1]
    assert address(blocks.new((200_000,), torch.uint8)) not in places
    assert address(blocks.new((900_000,), torch.uint8)) == places[0]


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


def robots(cache: Path) -> list[str]:
    return [
        "data=synthetic_robot", f"data.data_paths=[{write_synthetic_droid(cache, 4)}]", "robotics=droid",
        "robotics.camera_views=all", "data.cameras=[left_mp4_path,right_mp4_path]", "data_aug=robotics", "mask=none",
    ]  # fmt: skip


def captions(cache: Path, layout: str = "vlm") -> list[str]:
    text = [f"data.text.tokenizer_path={save_tokenizer(cache)}", "data.text.max_text_len=2000"]
    root = write_webvid(cache / layout)
    return [
        "data=webvid", f"data.data_root={root}", f"data.output.layout={layout}", "data.max_frames=4",
        *(text if layout == "vlm" else []),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "large"),
    [
        (robots, {"video"}),
        (captions, {"pixel_values", "input_ids", "labels"}),
        (lambda cache: captions(cache, "vjepa"), {"video"}),
    ],
    ids=["robots", "captions", "captions for V-JEPA"],
)
def test_all_that_is_large_crosses_in_few_blocks_and_stays_what_it_was(
    kind: Callable[[Path], list[str]],
    large: set[str],
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a worker does, and the main process with what it sends, without the process."""
    side = "data.frame_size=64" if kind is not robots else "data.img_size=64"
    experiment = compose([*kind(cache), side, "data.batch_size=2", "data.num_workers=0"])
    expected = list(loader_of(experiment, tmp_path))
    fetch, borrowed = loader_of(experiment, tmp_path)._fetch, BorrowedBlocks()
    monkeypatch.setattr("vjepa_pipe.loader.blocks.parent_process", lambda: "as in a worker")
    tasks = [BatchTask(batch["key"]) for batch in expected]
    kept: list[tuple[Any, Any]] = []
    found, descriptors = set(), 0
    for number in range(12):
        wanted, task = expected[number % len(expected)], tasks[number % len(expected)]
        data, fds = fetch.blocks.dumps(fetch(task).batch)
        descriptors += len(fds)  # one for each piece of memory that the main process does not know yet
        got = borrowed.loads(data, fds)
        assert got.keys() == wanted.keys()
        found |= {name for name, value in got.items() for tensor in tensors_in(value) if tensor.nbytes > SMALL_BYTES}
        if number in (1, 2):
            kept.append((got, wanted))
        same = [torch.equal(*pair) for pair in zip(tensors_in(got), tensors_in(wanted), strict=True)]
        assert all(same) and len(same) > 3
        del got
        fetch.blocks.give_back(borrowed.dropped())
    assert found == large and descriptors <= len(large) * (2 + len(kept))
    for got, wanted in kept:
        assert all(torch.equal(*pair) for pair in zip(tensors_in(got), tensors_in(wanted), strict=True))


def test_what_a_compiled_function_gives_keeps_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vjepa_pipe.loader.blocks.parent_process", lambda: "as in a worker")
    blocks, borrowed = Blocks(), BorrowedBlocks()
    upper = torch.compile(lambda clips: clips[1:].flatten(1), backend="eager")
    batch = blocks.new((2, 3, 4), torch.float32).fill_(7)
    got = borrowed.loads(*blocks.dumps(batch))
    view = upper(got)
    assert address(view) == address(got), "a view, not a copy"
    del batch, got
    gc.collect()
    assert borrowed.dropped() == [] and view.unique().tolist() == [7]
    del view
    gc.collect()
    assert len(borrowed.dropped()) == 1
