"""What an index of a million videos at URLs costs: part of `make bench-remote`.

    python bench/index_scale.py CORPUS --files 1000000 --out index_scale.json

Each file has the packets of one of the mp4 files of CORPUS, as `task=index` keeps them; every 2000th has the same, so
that nothing shrinks by being there over and over. Each part runs in a process of
its own: writing the index from its entries, opening it for the first time, and again. Needs 6 GB of disk for a while.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from storage.range_server import serving

if TYPE_CHECKING:
    from vjepa_pipe.video.probe import Probe

PARTS = ("write", "open", "open_again")
LOOKUPS = 1000
DIFFERENT = 2000
"""Objects that `pack_object` makes: each with another ETag, and so with other bytes."""


def names(files: int) -> Iterator[str]:
    return (f"s3://bucket/videos/{number // 1000:04}/{number:08}.mp4" for number in range(files))


def probe_of(known: Probe, number: int) -> Probe:
    """The same file as another object."""
    from vjepa_pipe.storage import Facts
    from vjepa_pipe.video.index.packet_table import pack_object, unpack_object

    found = unpack_object(b64decode(known.packets))
    assert found is not None
    digest = sha256(str(number).encode()).hexdigest()[:32]
    packed = pack_object(found._replace(facts=Facts(found.facts.size, f'"{digest}"')))
    return known._replace(packets=b64encode(packed).decode())


def write(folder: Path, corpus: Path, files: int) -> dict[str, Any]:
    from vjepa_pipe.sources.probed.index_file import Column
    from vjepa_pipe.tasks.index_parts import write_index
    from vjepa_pipe.video import probe

    videos = sorted(path.name for path in corpus.glob("k*.mp4")) or sorted(path.name for path in corpus.glob("*.mp4"))
    with serving(corpus.resolve()) as server:
        probes = [probe(server.url(name)) for name in videos]
    found = [probe_of(probes[number % len(probes)], number)._asdict() for number in range(DIFFERENT)]
    (folder / "list.csv").write_text("".join(f"{name} 0\n" for name in names(files)))
    entries = (one | {Column.PATH: name, Column.ERROR: None} for name, one in zip(names(files), cycle(found)))
    started, used = time.perf_counter(), time.process_time()
    write_index(folder / "list.parquet", islice(entries, files))
    return {
        "packets_per_file": round(sum(one["frames"] for one in found) / len(found)),
        "seconds": round(time.perf_counter() - started, 1),
        "seconds_of_processor_time": round(time.process_time() - used, 1),
        "megabytes_on_disk": round((folder / "list.parquet").stat().st_size / 1e6),
    }


def open_index(folder: Path) -> dict[str, Any]:
    """The dataset as a trainer meets it, and what looking up a row takes."""
    from vjepa_pipe.datasets import VideoDataset
    from vjepa_pipe.video.index.packet_table import unpack_object

    before, started, used = psutil.Process().memory_full_info().uss, time.perf_counter(), time.process_time()
    dataset = VideoDataset(folder / "list.csv", index_dir=folder)
    took, used = time.perf_counter() - started, time.process_time() - used
    alone = psutil.Process().memory_full_info().uss - before
    index: Any = dataset.indexes
    rows = range(0, len(dataset), max(1, len(dataset) // LOOKUPS))
    started = time.perf_counter()
    for row in rows:
        unpack_object(index[0].packets(row, None))
    lookup = (time.perf_counter() - started) / len(rows)
    kept = sum(file.stat().st_size for file in Path(os.environ["VJEPA_PIPE_CACHE"]).rglob("*") if file.is_file())
    return {
        "seconds": round(took, 2),
        "seconds_of_processor_time": round(used, 2),
        "megabytes_of_memory_more": round(alone / 1e6, 1),
        "megabytes_in_cache": round(kept / 1e6),
        "ms_for_a_row": round(1e3 * lookup, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=Path("index_scale.json"))
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        found = write(args.folder, args.corpus, args.files) if args.part == "write" else open_index(args.folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(found | {"megabytes_of_memory_at_most": round(peak / 1e6)}))
        return
    results: dict[str, Any] = {"files": args.files}
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            command = [sys.executable, __file__, str(args.corpus), "--files", str(args.files)]
            environment = os.environ | {"VJEPA_PIPE_CACHE": f"{folder}/cache"}
            command += ["--part", part, "--folder", folder]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            results[part] = done.stderr[-500:] if done.returncode else json.loads(done.stdout.splitlines()[-1])
            print(part, results[part], flush=True)
    args.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
