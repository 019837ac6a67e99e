"""Batches on their way to a GPU: clips per second, how far copies overlap with work, and whether any batch changed.

    python bench/gpu.py --csv k.csv --workers 8 --batch 16

Prints a line of JSON for each of three loaders over the same clips, beside a step of matrix products on the GPU:
torch's `DataLoader(pin_memory=True)`, ours with copies into pinned memory, and ours through `device_prefetch`, which
copies from the workers' memory. Milliseconds of processor time are those of this process. `overlap` is the share of the
shorter of copying and computing that runs beside the longer: 1 hides it, 0 does one after the other. Ends with status 1
if a batch on the GPU, or what a compiled function gave for it, is not that of a loader without workers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader

WARM_UP = 8
"""Batches: more than are read ahead, and enough for all blocks to be page-locked."""
KEPT = 4
PRODUCTS = 20


def loader_of(args: argparse.Namespace, workers: int) -> Any:
    from vjepa_pipe import DataManager, compose

    return DataManager(
        compose([
            "data=csv", f"data.data_paths=[{args.csv}]", f"data.batch_size={args.batch}", f"data.num_workers={workers}",
            "loader.pin_memory=true", "loader.output=uint8", f"loader.iterations_per_epoch={WARM_UP + args.batches}",
            *args.override,
        ])
    ).build_train_loader()  # fmt: skip


def stock(args: argparse.Namespace) -> Iterator[Any]:
    ours = loader_of(args, 0)
    keys = list(ours.schedule.batches(0, 0))
    loader = DataLoader(
        ours.dataset, batch_sampler=keys, collate_fn=ours.collate_fn, num_workers=args.workers, pin_memory=True
    )
    return moved(loader)


def moved(loader: Iterable[Any]) -> Iterator[Any]:
    for batch in loader:
        yield {name: value.cuda(non_blocking=True) if name == "video" else value for name, value in batch.items()}


def in_place(args: argparse.Namespace) -> Iterator[Any]:
    from vjepa_pipe.loader import device_prefetch

    return iter(device_prefetch(loader_of(args, args.workers), "cuda"))


def rate(batches: Iterator[Any], args: argparse.Namespace, step: Callable[[], None]) -> dict[str, float]:
    for _ in islice(batches, WARM_UP):
        step()
    torch.cuda.synchronize()
    began, used = time.perf_counter(), time.process_time()
    for _ in islice(batches, args.batches):
        step()
    torch.cuda.synchronize()
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    return {
        "clips_per_s": round(args.batch * args.batches / wall, 1),
        "cpu_ms_per_batch": round(1e3 * cpu / args.batches, 2),
    }


def overlap(args: argparse.Namespace, step: Callable[[], None]) -> float:
    """Of copies of a few batches in page-locked blocks, over and over, with nothing to decode."""
    from vjepa_pipe.loader import device_prefetch

    loader = loader_of(args, args.workers)
    kept = list(islice(loader.page_locked(torch.device("cuda")), KEPT))

    def seconds(copies: bool, steps: bool) -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in device_prefetch(kept * 10, "cuda") if copies else kept * 10:
            if steps:
                step()
        torch.cuda.synchronize()
        return time.perf_counter() - began

    seconds(True, True)
    copying, computing, both = seconds(True, False), seconds(False, True), seconds(True, True)
    return round((copying + computing - both) / min(copying, computing), 2)


def changed(args: argparse.Namespace) -> int:
    """How many batches are not what they should be, at once or, through a compiled function, after all were read."""
    from vjepa_pipe.loader import device_prefetch

    mirrored = torch.compile(lambda video: (video.flip(-1), video[:, :, :1]))
    wrong, kept = 0, []
    for batch, plain in zip(in_place(args), device_prefetch(loader_of(args, 0), "cpu"), strict=True):
        kept.append((*mirrored(batch["video"])[:2], plain["video"]))
        wrong += not torch.allclose(batch["video"].cpu(), plain["video"], atol=1e-5)
        del kept[:-WARM_UP]
    for flipped, first, plain in kept:
        right = torch.allclose(flipped.cpu(), plain.flip(-1), atol=1e-5)
        wrong += not (right and torch.allclose(first.cpu(), plain[:, :, :1], atol=1e-5))
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", required=True)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--override", nargs="*", default=[])
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("bench/gpu.py needs a CUDA device, and torch finds none")
    matrix = torch.rand(4096, 4096, device="cuda")

    def step() -> None:
        for _ in range(PRODUCTS):
            torch.mm(matrix, matrix)

    copied = moved(loader_of(args, args.workers))
    for name, batches in {"DataLoader": stock(args), "ours, copied": copied, "ours, in place": in_place(args)}.items():
        print(json.dumps({"loader": name, **rate(batches, args, step)}))
    wrong = changed(args)
    print(json.dumps({"overlap": overlap(args, step), "changed": wrong, "device": torch.cuda.get_device_name()}))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
