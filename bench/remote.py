"""Clips read from a store, in turn with local files and with a dataset by hand: `make bench-remote CORPUS=folder`.

    python bench/remote.py CORPUS --rounds 3 --out remote.json

CORPUS is that of `compare.py`. A process of its own answers GET and HEAD as S3 does, from memory: each answer waits for
the latency, and all share the bandwidth. Clips, batches and workers are equal in every row. Requests and bytes are
those that the server has counted, over all clips of the list; the least is what lies from the key frame before a clip
to the last packet that it wants. Ratios are medians over the rounds of the ratio within a round.

The peer is what is written by hand today: torchcodec on files opened by s3fs. It needs `pip install s3fs torchcodec`,
which may be in another environment than this one (--peer-python). Without them its rows are left out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from itertools import cycle, islice
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
from compare import BATCH_SIZE, WORKERS, medians, run, settings
from loaders import batches_of, our_loader
from storage.range_server import Faults, RangeServer
from table import markdown

ROOT = Path(__file__).resolve().parents[1]
BUCKET = "corpus"
STORE = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


class Contender(NamedTuple):
    """Who reads, from where.

    Attributes:
        loader: One of `loaders.LOADERS`.
        store: How the store answers; None: local files.
        indexed: Whether there is an index.
    """

    loader: str
    store: Faults | None
    indexed: bool = False


MS_30, MS_100 = Faults(delay_sec=0.03), Faults(delay_sec=0.1)
LOCAL = "local files"
PEER = "s3fs"
CONTENDERS = {
    LOCAL: Contender("ours", None),
    "store, 0 ms": Contender("ours", Faults(), indexed=True),
    "store, 30 ms": Contender("ours", MS_30, indexed=True),
    "store, 100 ms": Contender("ours", MS_100, indexed=True),
    "store, 50 MB/s": Contender("ours", Faults(bytes_per_second=50_000_000), indexed=True),
    "store, 30 ms, no index": Contender("ours", MS_30),
    "s3fs, 0 ms": Contender(PEER, Faults()),
    "s3fs, 30 ms": Contender(PEER, MS_30),
    "s3fs, 100 ms": Contender(PEER, MS_100),
}


class Server:
    """The store, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(folder, theirs), daemon=True)
        self._process.start()
        self.url: str = self._pipe.recv()

    def answer(self, faults: Faults) -> tuple[int, int]:
        """Answer so from now on; returns requests and bytes since it was last told."""
        self._pipe.send(faults)
        counts: tuple[int, int] = self._pipe.recv()
        return counts


def _serve(folder: Path, pipe: Connection) -> None:
    server = RangeServer(folder, unchanging=True)
    pipe.send(server.url().rstrip("/"))
    with suppress(EOFError):
        while True:
            server.faults = pipe.recv()
            pipe.send((len(server.requests), sum(server.sent.values())))
            server.requests.clear()
            server.sent.clear()


def peer_version(python: str) -> str | None:
    """That of s3fs; None where the peer cannot run."""
    command = [python, "-c", "from importlib.metadata import version; version('torchcodec'); print(version('s3fs'))"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


class Footage(NamedTuple):
    """One csv of the corpus.

    Attributes:
        local: As many of its rows as there are clips.
        remote: The same, as URLs.
        least: Bytes from the key frame before a clip to its last wanted packet, mean over the list.
    """

    local: Path
    remote: Path
    least: float


def prepare(csv: Path, folder: Path, index_dir: Path, clips: int) -> Footage:
    lines = list(islice(cycle(csv.read_text().splitlines()), clips))
    local, remote = folder / "local" / csv.name, folder / "remote" / csv.name
    for file, start in ((local, f"{csv.parent.resolve()}/"), (remote, f"s3://{BUCKET}/")):
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"{start}{Path(line.split()[0]).name} {line.split()[1]}\n" for line in lines))
    command = [sys.executable, str(ROOT / "launch.py"), "task=index", "data=csv", f"data.data_paths=[{remote}]"]
    command += [f"task.index_dir={index_dir}", f"hydra.run.dir={folder / 'runs' / csv.stem}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return Footage(local, remote, least_bytes(remote, index_dir, clips))


def least_bytes(remote: Path, index_dir: Path, clips: int) -> float:
    from vjepa_pipe.sampling import generator
    from vjepa_pipe.video.index.packet_table import unpack_object

    augmentation = {"auto_augment": False, "motion_shift": False, "reprob": 0.0}
    recipe = {**augmentation, "size": [256], "batch": BATCH_SIZE, "workers": WORKERS}
    overrides = [f"loader.iterations_per_epoch={clips // BATCH_SIZE}", f"data.index_dir={index_dir}"]
    loader = our_loader(argparse.Namespace(csv=remote, override=overrides, **recipe))
    dataset: Any = loader.dataset
    (index,), (sampler,), sizes = dataset.indexes, dataset.clip_samplers, []
    for key in (key for batch in loader.schedule.batches(0) for key in batch):
        known: Any = unpack_object(index.packets(key.row, None))
        packets = known.table.index
        clip = sampler.draw(generator(key, "clip"), *index.length(key.row, None))[0]
        runs = list(packets.runs(np.unique(clip).tolist()))
        extents = packets.extents[runs[0].first : max(run.last for run in runs) + 1]
        sizes.append(float(extents.sum(axis=1).max() - extents[:, 0].min()))
    return mean(sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--rows", nargs="*", help="names of the csv files; all when left out")
    parser.add_argument("--contenders", nargs="*", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--peer-python", default=sys.executable, help="of an environment that has s3fs and torchcodec")
    parser.add_argument("--out", type=Path, default=Path("remote.json"))
    parser.set_defaults(upstream=None)
    args = parser.parse_args()
    peer = peer_version(args.peer_python)
    names = [name for name in args.contenders if peer or CONTENDERS[name].loader != PEER]
    clips = batches_of(args.batches, WORKERS) * BATCH_SIZE
    seen: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as name:
        folder, index_dir = Path(name), Path(name) / "indexes"
        (folder / "served").mkdir()
        (folder / "served" / BUCKET).symlink_to(args.corpus.resolve())
        server = Server(folder / "served")
        os.environ |= STORE | {"AWS_ENDPOINT_URL": server.url, "VJEPA_PIPE_CACHE": str(folder / "cache")}
        files = [file for file in sorted(args.corpus.glob("*.csv")) if not args.rows or file.stem in args.rows]
        footage = {file.stem: prepare(file, folder, index_dir, clips) for file in files}
        for _ in range(args.rounds):
            for row, lists in footage.items():
                for name in names:
                    one = CONTENDERS[name]
                    server.answer(one.store or Faults())
                    python = args.peer_python if one.loader == PEER else sys.executable
                    overrides = [f"loader.iterations_per_epoch={clips // BATCH_SIZE}"]
                    overrides += [f"data.index_dir={index_dir}"] if one.indexed else []
                    figures = run(
                        one.loader,
                        lists.local if one.store is None else lists.remote,
                        args,
                        overrides,
                        ["--to-the-end"],
                        python,
                    )
                    requests, sent = server.answer(Faults())
                    figures |= {"requests_per_clip": requests / clips, "kb_per_clip": sent / clips / 1e3}
                    figures["times_least"] = sent / clips / lists.least
                    seen[row][name].append(figures)
                    print(row, name, figures, flush=True)
                args.out.write_text(json.dumps(report(seen, args, peer), indent=2) + "\n")
    print("\n".join(["", *lines(report(seen, args, peer))]))


def report(
    seen: dict[str, dict[str, list[dict[str, float]]]], args: argparse.Namespace, peer: str | None
) -> dict[str, Any]:
    packages = {name: version(name) for name in ("torch", "av", "torchcodec", "obstore")} | {"s3fs": peer or "none"}
    rows = medians(seen, {LOCAL: "of_local"})
    return {**settings(args), "versions": {"Python": platform.python_version(), **packages}, "rows": rows}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A table in Markdown, with what was run and where."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    yield f"{result['machine']}; {versions}."
    yield (
        f"{result['rounds']} rounds in turn, {result['batches']} batches of {result['batch_size']} clips each, "
        f"{result['workers']} workers; medians of the rounds."
    )
    yield ""
    head = [
        "footage",
        "read from",
        "clips/s",
        "to local files",
        "ms of processor time",
        "requests",
        "kB",
        "of the least",
    ]
    yield from markdown(
        head, (cells(row, name, one) for row, all_ in result["rows"].items() for name, one in all_.items())
    )


def cells(row: str, name: str, figures: dict[str, float]) -> list[str]:
    """Such as `k`, `store, 30 ms`, `39.8, 35.1-41.0`, `0.97`, `48`, `1.00`, `239`, `1.00`."""
    speed = f"{figures['clips_per_s']:.1f}, {figures['lowest']:.1f}-{figures['highest']:.1f}"
    found = [row, name, speed, f"{figures['of_local']:.2f}" if "of_local" in figures else ""]
    found.append(f"{figures['cpu_ms_per_clip']:.0f}")
    if not figures["requests_per_clip"]:
        return [*found, "", "", ""]
    return [
        *found,
        f"{figures['requests_per_clip']:.2f}",
        f"{figures['kb_per_clip']:.0f}",
        f"{figures['times_least']:.2f}",
    ]


if __name__ == "__main__":
    main()
