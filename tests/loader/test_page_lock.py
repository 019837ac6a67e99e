"""Batches on their way to a GPU. No GPU is needed, so none is tested: see `fake_cuda`."""

from __future__ import annotations

import gc
import os
import runpy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_cuda import FakeCuda, cuda
from loading import digests, loader_of, tiny

from vjepa_pipe.loader import device_prefetch
from vjepa_pipe.loader.blocks import Blocks, BorrowedBlocks
from vjepa_pipe.loader.nested import mapped
from vjepa_pipe.loader.pinning import PageLock, pinned

__all__ = ["cuda"]


class Worker:
    """A worker and the main process's view of it, both in this process."""

    def __init__(self) -> None:
        self.blocks, self.borrowed, self.lock = Blocks(), BorrowedBlocks(), PageLock()

    def batch(self, number: float, **more: Any) -> dict[str, Any]:
        """A batch that stands in a block, page-locked; tensors dropped before it are given back."""
        self.blocks.give_back(self.borrowed.dropped())
        video = self.blocks.new((2, 3, 4, 32, 32), torch.float32).fill_(number)
        sent = self.blocks.dumps({"video": video, "label": [torch.tensor(number)], **more})
        del video
        return pinned(self.borrowed.loads(*sent, self.lock), in_place=True)


@pytest.fixture
def worker(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr("vjepa_pipe.loader.blocks.parent_process", lambda: "as in a worker")
    worker = Worker()
    yield worker
    del worker.borrowed
    gc.collect()
    assert not cuda.locked and not cuda.unmapped_first


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.soak)])
def test_device_prefetch_reads_where_workers_wrote(
    videos_csv: Path, tmp_path: Path, cuda: FakeCuda, method: str
) -> None:
    options = ["data.num_workers=1", "loader.pin_memory=true", f"loader.start_method={method}"]
    expected = digests(loader_of(tiny(videos_csv), tmp_path))
    loader = loader_of(tiny(videos_csv, *options), tmp_path)
    on_device = device_prefetch(loader, "cuda")
    assert digests(on_device) == expected
    assert cuda.locked and len(set(cuda.history)) == len(cuda.history) < 8
    assert max(cuda.pinned) <= 16 * 1024, "only what came in messages was copied into pinned memory"
    cuda.pinned.clear()
    on_device.set_epoch(0)
    assert digests(on_device) == expected
    loader.set_epoch(0)
    batches = list(loader)  # their owner may copy from them as from any pinned tensor
    assert digests(batches) == expected
    assert all(batch["video"].is_pinned() for batch in batches)
    assert not {batch["video"].untyped_storage().data_ptr() for batch in batches} & set(cuda.history)
    loader.close()
    gc.collect()
    assert not cuda.locked and not cuda.unmapped_first


def test_a_block_is_used_again_only_after_the_copy_from_it(cuda: FakeCuda, worker: Worker) -> None:
    places = []

    def batches() -> Iterator[Any]:
        for number in range(3):
            batch = worker.batch(float(number))
            places.append(batch["video"].untyped_storage().data_ptr())
            yield batch
            del batch

    cuda.copying = True
    ahead = iter(device_prefetch(batches(), "cuda"))
    first, second = next(ahead), next(ahead)
    assert worker.borrowed.dropped() == [] and len(set(places)) == 3
    cuda.copying = False
    third = next(ahead)
    assert [float(batch["video"].max()) for batch in (first, second, third)] == [0, 1, 2]
    cuda.copying = True
    places.clear()
    assert next(ahead, None) is None
    freed = worker.borrowed.dropped()
    assert len(freed) == 3
    worker.blocks.give_back(freed)
    cuda.copying = False
    list(device_prefetch(batches(), "cuda"))
    assert len(set(places)) == 1 and len(cuda.history) == 3


def test_copies_under_way_are_bounded_and_waited_for(cuda: FakeCuda, worker: Worker) -> None:
    cuda.copying = True
    ahead = iter(device_prefetch((worker.batch(float(number)) for number in range(8)), "cuda"))
    for _ in range(8):
        next(ahead)
    assert cuda.waited == 4 and len(cuda.history) == 5  # of 8 batches, 4 may be under way beside the one just moved
    free: list[list[int]] = []
    cuda.on_synchronize = lambda: free.append(worker.borrowed.dropped())
    ahead.close()
    assert len(free) == 1 and len(worker.borrowed.dropped()) == 4, "kept until the stream was waited for"


def test_a_batch_that_cannot_be_moved_is_kept_until_its_copies_end(
    cuda: FakeCuda, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[list[int]] = []
    cuda.on_synchronize = lambda: free.append(worker.borrowed.dropped())
    move = torch.Tensor.to

    def refuse_labels(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if not tensor.ndim:
            raise RuntimeError("out of memory")
        return move(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", refuse_labels)
    with pytest.raises(RuntimeError, match="out of memory"):
        next(iter(device_prefetch((worker.batch(float(number)) for number in range(1)), "cuda")))
    assert free == [[]] and len(cuda.history) == 1


def test_refused_memory_is_copied_and_said_once(cuda: FakeCuda, worker: Worker) -> None:
    cuda.refusal = 2
    with pytest.warns(UserWarning, match=r"cudaHostRegister failed with code 2; batches are copied") as said:
        batches = [worker.batch(float(number)) for number in range(3)]
    assert len(said) == 1 and not cuda.locked
    assert all(batch["video"].is_pinned() for batch in batches) and cuda.pinned.count(batches[0]["video"].nbytes) == 3


class Own:
    """Holds a tensor where nobody finds it."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def test_a_tensor_that_is_not_found_never_stands_in_locked_memory(cuda: FakeCuda, worker: Worker) -> None:
    locked = worker.batch(1.0)["video"].untyped_storage().data_ptr()
    assert locked in cuda.locked
    for lock in (worker.lock, None):  # None: the loader is read without `device_prefetch` from now on
        worker.blocks.give_back(worker.borrowed.dropped())
        video = worker.blocks.new((2, 3, 4, 32, 32), torch.float32).fill_(2)
        assert video.untyped_storage().nbytes() > 16 * 1024
        own = worker.borrowed.loads(*worker.blocks.dumps({"own": Own(video), "other": video + 1}), lock)
        assert not own["own"].tensor.is_pinned() and not own["other"].is_pinned()
        assert own["own"].tensor.unique().tolist() == [2] and own["other"].unique().tolist() == [3]
        found = worker.borrowed.loads(*worker.blocks.dumps({"pair": (video, [video[1:]])}), lock)
        assert found["pair"][1][0].untyped_storage().data_ptr() == found["pair"][0].untyped_storage().data_ptr()
        assert found["pair"][0].is_pinned() == (found["pair"][0].data_ptr() in cuda.locked)
    assert cuda.history == [locked], "nor is anything locked for such a batch"


def test_a_forked_process_unlocks_nothing(cuda: FakeCuda, worker: Worker) -> None:
    batch = worker.batch(1.0)
    assert len(cuda.locked) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
        child = os.fork()
    if child == 0:
        cuda.process = os.getpid()
        del batch, worker.borrowed
        gc.collect()
        os._exit(len(cuda.locked))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_what_holds_no_tensor_is_passed_on_as_it_is() -> None:
    size, names = torch.Size([1, 2]), ["a", ("b",)]
    batch = {"video": torch.zeros(2), "pair": (torch.ones(1), names), "size": size, "names": names}
    seen: list[str] = []
    changed = mapped(batch, lambda tensor, name: seen.append(name) or tensor + 1)
    assert seen == ["video", "pair"] and changed["size"] is size and changed["names"] is names
    assert changed["pair"][0].tolist() == [2] and changed["pair"][1] is names and batch["video"].tolist() == [0, 0]
    assert mapped(batch, lambda tensor, name: tensor) is batch


@pytest.mark.skipif(torch.cuda.is_available(), reason="says so where there is no GPU")
def test_the_benchmark_says_that_it_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(__file__).parents[2] / "bench" / "gpu.py"
    monkeypatch.setattr("sys.argv", [str(file), "--csv", "a.csv"])
    with pytest.raises(SystemExit, match=r"bench/gpu\.py needs a CUDA device, and torch finds none"):
        runpy.run_path(str(file), run_name="__main__")
