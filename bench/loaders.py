"""One timed run of a loader over a csv, as a line of JSON. `bench/compare.py` runs it in turn for each loader.

    python bench/loaders.py ours --csv k.csv
    python bench/loaders.py published --csv k.csv --upstream CHECKOUT

The recipe is that of released pretraining: 16 frames at 4 fps, crop 256 or --size, scale 0.3 to 1, ratio 0.75 to 1.35,
flip, normalised, two mask generators. Processor time counts this process and its workers, from the end of the warm-up
on. With --to-the-end the rest of the list is read when the time is taken, so that all that was read ahead is used.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from vjepa_pipe.loader import ClipLoader
    from vjepa_pipe.sampling import SampleKey

WARM_UP = 8
"""Batches: more than are read ahead, and enough for a loader to have all its memory."""
PUBLISHED_MASKS = [
    {
        "aspect_ratio": [0.75, 1.5],
        "full_complement": False,
        "max_keep": None,
        "max_temporal_keep": 1.0,
        "num_blocks": blocks,
        "spatial_scale": [scale, scale],
        "temporal_scale": [1.0, 1.0],
    }
    for blocks, scale in ((8, 0.15), (2, 0.7))
]
LOADERS = ("ours", "published", "decode", "torchcodec", "s3fs")


def ours(args: argparse.Namespace) -> Iterator[Any]:
    return iter(our_loader(args))


def our_loader(args: argparse.Namespace) -> ClipLoader:
    from vjepa_pipe import DataManager, compose

    overrides = [
        "experiment=vjepa2_vitl16_256px_16f",
        f"data.data_paths=[{args.csv}]",
        "data.data_weights=null",
        "data.source_names=null",
        f"data.img_size={args.size[0] if len(args.size) == 1 else args.size}",
        f"data.batch_size={args.batch}",
        f"data.num_workers={args.workers}",
        f"data_aug.auto_augment={args.auto_augment}",
        f"data_aug.motion_shift={args.motion_shift}",
        f"data_aug.random_erasing={args.reprob}",
        "data_aug.rand_augment=rand-m7-n4-mstd0.5-inc1",
        *args.override,
    ]
    return DataManager(compose(overrides)).build_train_loader()


def published(args: argparse.Namespace) -> Iterator[Any]:
    sys.path.insert(0, args.upstream)
    import torch
    from app.vjepa.transforms import make_transforms
    from src.datasets.video_dataset import make_videodataset
    from src.masks.multiseq_multiblock3d import MaskCollator

    torch.manual_seed(0)
    (side,) = args.size  # it crops squares alone
    collator = MaskCollator(cfgs_mask=PUBLISHED_MASKS, dataset_fpcs=[16], crop_size=side, patch_size=16, tubelet_size=2)
    transform = make_transforms(
        crop_size=side,
        random_resize_aspect_ratio=(0.75, 1.35),
        auto_augment=args.auto_augment,
        motion_shift=args.motion_shift,
        reprob=args.reprob,
    )
    _, loader, _ = make_videodataset(
        data_paths=[args.csv],
        batch_size=args.batch,
        dataset_fpcs=[16],
        frame_step=None,
        fps=4,
        transform=transform,
        collator=collator,
        num_workers=args.workers,
        pin_mem=False,
        persistent_workers=False,
    )
    return iter(loader)


def decode(args: argparse.Namespace) -> Iterator[Any]:
    """The limit: the wanted frames decoded, not converted, not augmented; nothing is collated."""
    from bare_decode import SparseDecode, by_hand

    return by_hand(args, SparseDecode, our_keys(args))


def torchcodec(args: argparse.Namespace) -> Iterator[Any]:
    """What can be written by hand in an hour: torchcodec and torchvision v2 on uint8, without masks."""
    from bare_decode import TorchcodecByHand, by_hand

    return by_hand(args, TorchcodecByHand, our_keys(args))


def s3fs(args: argparse.Namespace) -> Iterator[Any]:
    """The same from a bucket, whose address is in $AWS_ENDPOINT_URL."""
    from bare_decode import S3fsByHand, by_hand

    return by_hand(args, S3fsByHand, our_keys(args))


def our_keys(args: argparse.Namespace) -> list[SampleKey]:
    """The samples that our loader reads, in its order."""
    batches = islice(our_loader(args).schedule.batches(0, 0), batches_of(args.batches, args.workers))
    return [key for batch in batches for key in batch]


def batches_of(timed: int, workers: int) -> int:
    """Batches that a run needs: those before the time is taken, those that are timed, and those that are read ahead."""
    return WARM_UP + timed + 4 * workers


def cpu_seconds() -> float:
    process = psutil.Process()
    times = [one.cpu_times() for one in (process, *process.children(recursive=True)) if one.is_running()]
    return sum(t.user + t.system for t in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("loader", choices=LOADERS)
    parser.add_argument("--csv", required=True)
    parser.add_argument("--upstream")
    parser.add_argument("--size", type=int, nargs="+", default=[256], help="of clips: a side, or height and width")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--auto-augment", action="store_true")
    parser.add_argument("--motion-shift", action="store_true")
    parser.add_argument("--reprob", type=float, default=0.0)
    parser.add_argument("--to-the-end", action="store_true")
    parser.add_argument("--override", nargs="*", default=[])
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    start: dict[str, Callable[[argparse.Namespace], Iterator[Any]]] = {
        "ours": ours,
        "published": published,
        "decode": decode,
        "torchcodec": torchcodec,
        "s3fs": s3fs,
    }
    batches = start[args.loader](args)
    for _ in range(WARM_UP):
        next(batches)
    began, used = time.perf_counter(), cpu_seconds()
    for _ in range(args.batches):
        next(batches)
    wall, cpu = time.perf_counter() - began, cpu_seconds() - used
    for _ in batches if args.to_the_end else ():
        pass
    clips = args.batches * args.batch
    print(json.dumps({"clips_per_s": round(clips / wall, 2), "cpu_ms_per_clip": round(1e3 * cpu / clips, 2)}))


if __name__ == "__main__":
    main()
