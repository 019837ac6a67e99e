"""What 20 million rows in 3 weighted sources cost: part of `make bench`.

    python bench/scale.py CORPUS --upstream CHECKOUT --out scale.json

The rows name the videos of CORPUS over and over; their csv files and the cache stand in a temporary folder. Each part
runs in a process of its own. The published sampler is given 60 seconds for its first index.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import psutil

SIZES = (7_000_000, 3_000_000, 10_000_000)
WEIGHTS = (0.335, 0.1, 0.565)
POSITION = 1_000_000_000
PATIENCE_SEC = 60
PARTS = ("few_rows", "first_time", "again", "published", "masks", "context_distance")


@contextmanager
def timed(found: dict[str, Any], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    found[f"{name}_ms"] = round(1e3 * (time.perf_counter() - started), 2)


def own_megabytes(pids: list[int]) -> list[float]:
    """Memory of each process that no other process shares."""
    return [round(psutil.Process(pid).memory_full_info().uss / 1e6, 1) for pid in pids]


def ours(folder: Path, workers: int) -> dict[str, Any]:
    """Tables, first batch, resume and the next epoch, through the loader as a trainer meets it."""
    from vjepa_pipe import DataManager, compose
    from vjepa_pipe.loader.state import LoaderState

    found: dict[str, Any] = {}
    csvs = sorted(folder.glob("rows*.csv"))
    settings = [
        "experiment=vjepa2_vitl16_256px_16f",
        f"data.data_paths=[{','.join(map(str, csvs))}]",
        f"data.data_weights=[{','.join(map(str, WEIGHTS))}]",
        "data.source_names=null",
        "data.batch_size=8",
        f"data.num_workers={workers}",
    ]
    experiment = compose(settings)
    with timed(found, "tables"):
        loader = DataManager(experiment, output_dir=folder).build_train_loader()
    with timed(found, "first_batch"):
        next(iter(loader))
    epoch, position = divmod(POSITION, loader.schedule.epoch_size)
    position -= position % loader.schedule.global_batch_size
    loader.state_dict()  # the first one hashes what the run is made of
    state = replace(LoaderState.from_dict(loader.state_dict()), epoch=epoch, position=position).to_dict()
    with timed(found, "load_state"):
        loader.load_state_dict(state)
    with timed(found, "next_key_there"):
        next(iter(loader.schedule.batches(loader.epoch, loader.first_batch)))
    with timed(found, "next_key_of_another_epoch"):
        next(iter(loader.schedule.batches(loader.epoch + 1, 0)))
    with timed(found, "first_batch_there"):
        batches = iter(loader)
        next(batches)
    for _ in range(2 * workers):
        next(batches)
    children = [child.pid for child in psutil.Process().children()]
    found["worker_megabytes_of_its_own"] = own_megabytes(children)
    loader.close()
    return found


def published(upstream: str) -> dict[str, Any]:
    """Its weighted sampler alone, over a dataset without files."""
    sys.path.insert(0, upstream)
    import numpy as np
    import torch
    from src.datasets.utils.weighted_sampler import DistributedWeightedSampler

    class Weighted(torch.utils.data.Dataset[int]):
        sample_weights = np.concatenate([np.full(n, w / n) for n, w in zip(SIZES, WEIGHTS, strict=True)])

        def __len__(self) -> int:
            return sum(SIZES)

    found: dict[str, Any] = {}
    with timed(found, "first_index"):
        next(iter(DistributedWeightedSampler(Weighted(), num_replicas=1, rank=0, shuffle=True)))
    return found


def masks(upstream: str | None) -> dict[str, Any]:
    """The masks of a batch of 24 clips; frames are not stacked."""
    import numpy as np
    import torch

    from vjepa_pipe import MaskCollator, compose
    from vjepa_pipe.loader.schedule import GlobalBatch
    from vjepa_pipe.sampling import SampleKey

    torch.set_num_threads(1)
    shape, times = (24, 3, 16, 256, 256), 50
    found: dict[str, Any] = {}
    collator = MaskCollator(compose(["experiment=vjepa2_vitl16_256px_16f"]).mask)
    keys = [SampleKey(0, 0, i, 0, i) for i in range(24)]
    whole, places = GlobalBatch(0, 0, 24), np.arange(24)
    collator.draw_masks(shape, keys, whole, places, places)
    started = time.process_time()
    for _ in range(times):
        collator.draw_masks(shape, keys, whole, places, places)
    found["ours_ms"] = round(1e3 * (time.process_time() - started) / times, 2)
    if upstream:
        sys.path.insert(0, upstream)
        from loaders import PUBLISHED_MASKS
        from src.masks.multiseq_multiblock3d import MaskCollator as Published

        other = Published(cfgs_mask=PUBLISHED_MASKS, dataset_fpcs=[16], crop_size=256, patch_size=16, tubelet_size=2)
        batch = [(torch.zeros(1), 0, [torch.zeros(16)]) for _ in range(24)]
        other(batch)
        started = time.process_time()
        for _ in range(times):
            other(batch)
        found["published_ms"] = round(1e3 * (time.process_time() - started) / times, 2)
    return found


def context_distance(upstream: str | None) -> dict[str, Any]:
    """The distances of a batch of 24 clips, in turn with the published loop where the checkout has V-JEPA 2.1."""
    import numpy as np
    import torch

    from vjepa_pipe import MaskCollator, compose
    from vjepa_pipe.loader.schedule import GlobalBatch
    from vjepa_pipe.masks import context_distance as distance_transform
    from vjepa_pipe.sampling import SampleKey

    torch.set_num_threads(1)
    ways = {"ours": lambda enc, pred, grid: [distance_transform(*pair, grid) for pair in zip(enc, pred, strict=True)]}
    published = Path(upstream or "", "app/vjepa_2_1/models/utils/masks_dist.py")
    if upstream and published.exists():
        loop = runpy.run_path(str(published))["compute_mask_distance"]
        ways["published"] = lambda enc, pred, grid: loop([pred], [enc], grid[1], False)
    keys, whole, places = [SampleKey(0, 0, i, 0, i) for i in range(24)], GlobalBatch(0, 0, 24), np.arange(24)
    mask = compose(["experiment=vjepa2_vitl16_256px_16f"]).mask
    found: dict[str, Any] = {}
    for frames, side in ((16, 256), (64, 384)):
        grid = (frames // 2, side // 16, side // 16)
        enc, pred = MaskCollator(mask, frames).draw_masks((24, 3, frames, side, side), keys, whole, places, places)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(3):
            for name, way in ways.items():
                started = time.process_time()
                way(enc, pred, grid)
                seconds[name].append(time.process_time() - started)
        found["x".join(map(str, grid))] = {f"{name}_ms": round(1e3 * median(all_), 2) for name, all_ in seconds.items()}
    return found


def write_rows(corpus: Path, folder: Path, sizes: tuple[int, ...]) -> None:
    folder.mkdir(exist_ok=True)
    videos = sorted(str(path) for path in corpus.glob("k*.mp4")) or sorted(str(path) for path in corpus.glob("*.mp4"))
    for number, size in enumerate(sizes):
        with (folder / f"rows{number}.csv").open("w") as file:
            file.writelines(f"{path} {number}\n" for path in islice(cycle(videos), size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--upstream")
    parser.add_argument("--out", type=Path, default=Path("scale.json"))
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        parts = {
            "few_rows": lambda: ours(args.folder / "few", 2),
            "first_time": lambda: ours(args.folder, 2),
            "again": lambda: ours(args.folder, 2),
            "published": lambda: published(args.upstream),
            "masks": lambda: masks(args.upstream),
            "context_distance": lambda: context_distance(args.upstream),
        }
        print(json.dumps(parts[args.part]()))
        return
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_rows(args.corpus, Path(folder), SIZES)
        write_rows(args.corpus, Path(folder) / "few", (100, 100, 100))
        for part in PARTS:
            if part == "published" and not args.upstream:
                continue
            command = [sys.executable, __file__, str(args.corpus), "--part", part, "--folder", folder]
            command += ["--upstream", args.upstream] if args.upstream else []
            environment = os.environ | {"VJEPA_PIPE_CACHE": f"{folder}/cache"}
            limit = PATIENCE_SEC if part == "published" else None
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment)
            except subprocess.TimeoutExpired:
                results[part] = f"nothing after {PATIENCE_SEC} s"
            else:
                failed = done.returncode != 0
                results[part] = done.stderr[-500:] if failed else json.loads(done.stdout.splitlines()[-1])
            print(part, results[part], flush=True)
    args.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
