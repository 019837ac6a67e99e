"""A long run of mixed good and bad files under random kills and resumes: what was seen, lost, repeated.

    make soak                               # ten minutes, then five with a store
    python tests/soak.py 60                 # a minute
    python tests/soak.py 60 --store         # a minute with a store

A trainer process streams batches with one to three workers and records each batch, with a hash of all its bits,
together with the place that it would resume from. This process kills it with SIGKILL or SIGTERM at random moments,
kills its workers, and starts it again, each time with another number of workers. Of 40 files one is cut off, one is
text and one has flipped bits; one crashes its worker and one hangs in native code without giving the GIL back. In the
end every record is compared with a run that nothing disturbed.

With `--store` the files lie at URLs of a server of this process that is late or slow, refuses, resets or cuts answers,
or stalls in the middle, in turns. Each start has one or two ranks and an index or none; nothing crashes a worker by
itself. The run that nothing disturbed reads the files of this machine.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

if TYPE_CHECKING:
    from storage.range_server import RangeServer

HERE = Path(__file__).resolve().parent
SECONDS = 600
VIDEOS = 40
BATCH = 8
HAZARDS = {17: "segfault.mp4", 29: "hang.mp4"}
BAD = {5, 11, 23, *HAZARDS}
QUARANTINE = "quarantine.jsonl"
PATIENCE_SEC = 120
"""Without a new batch, starts included: something hangs."""
LOCAL = ["decoder._target_=hazards.HazardousDecoder", "loader.sample_timeout_sec=10", "loader.max_restarts=1000"]
STORE = ["storage.timeout_sec=2", "storage.retries=10", "loader.max_restarts=1000"]


def experiment(rows: Path, *overrides: str):
    from loading import tiny

    return tiny(rows, "loader.max_failure_rate=1", *overrides)


def write_rows(folder: Path, hazards: dict[int, str]) -> Path:
    """`VIDEOS` rows: good ones, damaged ones, and hazards."""
    from footage import bit_flipped, truncated
    from loading import rows_csv

    from vjepa_pipe.synthetic import write_synthetic_videos

    good = write_synthetic_videos(folder / "videos", 8)
    rows = rows_csv(folder / "rows.csv", good, {5: "text.txt", **hazards}, VIDEOS)
    lines = rows.read_text().splitlines()
    source = Path(lines[0].rsplit(" ", 1)[0])
    lines[11] = f"{truncated(source, folder / 'cut.mp4', 0.6)} 11"
    lines[23] = f"{bit_flipped(source, folder / 'flipped.mp4', np.random.default_rng(1), 400, (0.3, 0.9))} 23"
    rows.write_text("\n".join(lines) + "\n")
    return rows


def trainer(folder: Path, rows: Path, ranks: int, overrides: list[str]) -> None:
    """Consume for ever; SIGTERM ends it between two batches. The log is the model: it is saved with the place."""
    from loading import digest, joined, loader_of

    from vjepa_pipe.tasks.stopping import Sigterm

    asked, log = experiment(rows, f"data.batch_size={BATCH // ranks}", *overrides), folder / "log.jsonl"
    loaders = [loader_of(asked, folder, rank, ranks) for rank in range(ranks)]
    lines = log.read_bytes().splitlines() if log.exists() else []
    for loader in loaders if lines else ():
        loader.load_state_dict(json.loads(lines[-1])["state"])
    main = psutil.Process()
    with Sigterm() as sigterm, log.open("a") as file:
        while True:
            for batch in map(joined, zip(*loaders, strict=True)):
                record = {
                    "step": loaders[0].schedule.containing(batch["key"][0].position).step,
                    "digest": digest(batch),
                    "state": loaders[0].state_dict(),
                    "pids": [pid for loader in loaders for pid in loader._pool.pids],
                    "rss": main.memory_info().rss,
                    "restarts": sum(loader.report.restarts for loader in loaders),
                }
                file.write(json.dumps(record) + "\n")  # one write: whole, or cut off and dropped by `whole_lines`
                file.flush()
                if sigterm.received:
                    for loader in loaders:
                        loader.close()
                    return


def whole_lines(log: Path) -> None:
    """Drop a line that a kill cut off: that batch was not consumed."""
    if log.exists():
        text = log.read_bytes()
        log.write_bytes(text[: text.rfind(b"\n") + 1])


def disturb(folder: Path, seconds: float, settings: Iterator[list[str]]) -> Counter[str]:
    """Start, kill and start again until the time is over; returns what was done.

    Args:
        folder: Where the trainer logs.
        seconds: How long.
        settings: What `trainer` is started with each time, after its folder.
    """
    chance, done, until = random.Random(0), Counter(), time.monotonic() + seconds
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    log = folder / "log.jsonl"
    while time.monotonic() < until:
        command = [sys.executable, __file__, "--trainer", str(folder), *next(settings)]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        done["starts"] += 1
        size = seen = log.stat().st_size if log.exists() else 0
        grown = time.monotonic()
        # One in five is killed at any time from its start on, the others from their first batch on.
        begun, life = grown if chance.random() < 0.2 else None, chance.uniform(1, 30)
        while time.monotonic() < until and process.poll() is None:
            time.sleep(chance.uniform(0.1, 3))
            now = log.stat().st_size if log.exists() else 0
            if now != seen:
                seen, grown = now, time.monotonic()
                begun = begun or grown
            elif time.monotonic() - grown > PATIENCE_SEC:
                process.kill()
                sys.exit(f"no batch for {PATIENCE_SEC} s")
            if begun is not None and time.monotonic() - begun > life:
                break
            if chance.random() < 0.2 and now > size:
                last = log.read_bytes().split(b"\n")[-2]  # whole, whatever follows it
                try:
                    os.kill(chance.choice(json.loads(last)["pids"]), signal.SIGKILL)
                    done["workers killed"] += 1
                except ProcessLookupError:
                    pass
        if process.poll() is not None:
            sys.exit(f"the trainer ended by itself with status {process.returncode}")
        hard = chance.random() < 0.7
        process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        process.wait(PATIENCE_SEC)
        done["SIGKILL" if hard else "SIGTERM"] += 1
        whole_lines(log)
    return done


FAULTS = (
    {"status": 503}, {"status": 429}, {"status": 0}, {"cut": 1000}, {"cut": 1000, "stall_sec": 4.0},
    {"wrong_range": True}, {"delay_sec": 0.5}, {"delay_sec": 4.0}, {"bytes_per_second": 300_000},
)  # fmt: skip
"""Those of the store; 0 resets the connection."""


@contextmanager
def unreliable_store(folder: Path) -> Iterator[tuple[RangeServer, Callable[[], None]]]:
    """A server of a folder, and what makes it unreliable: then it is well for two thirds of the time."""
    from storage.range_server import Faults, serving

    chance, over = random.Random(1), threading.Event()
    with serving(folder) as server:

        def change() -> None:
            while not over.wait(chance.uniform(0.05, 0.3)):
                well = {"delay_sec": chance.uniform(0, 0.05)}
                server.faults = Faults(**(well if chance.random() < 0.67 else chance.choice(FAULTS)))

        try:
            yield server, threading.Thread(target=change, daemon=True).start
        finally:
            over.set()


def with_store(folder: Path, seconds: float) -> tuple[Path, Counter[str]]:
    """Soak a store; returns the rows, as files of this machine, and what was done."""
    rows, urls = write_rows(folder, {}), folder / "urls.csv"
    with unreliable_store(folder) as (server, begin):
        urls.write_text(rows.read_text().replace(f"{folder}/", server.url()))
        command = [sys.executable, str(HERE.parent / "launch.py"), "task=index", "data=csv"]
        command += [
            f"data.data_paths=[{urls}]",
            f"task.index_dir={folder / 'index'}",
            f"hydra.run.dir={folder / 'run'}",
        ]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        begin()
        done = disturb(folder, seconds, store_settings(urls, folder / "index"))
        done["requests"] = len(server.requests)
    return rows, done


def store_settings(urls: Path, index: Path) -> Iterator[list[str]]:
    chance = random.Random(2)
    while True:
        indexed = [f"data.index_dir={index}"] if chance.random() < 0.5 else []
        yield [str(urls), str(chance.choice([1, 2])), f"data.num_workers={chance.choice([1, 2, 3])}", *STORE, *indexed]


def with_hazards(folder: Path, seconds: float) -> tuple[Path, Counter[str]]:
    """Soak files of this machine; see `with_store`."""
    rows, chance = write_rows(folder, HAZARDS), random.Random(2)
    numbers = (chance.choice([1, 2, 3]) for _ in repeat(None))
    return rows, disturb(folder, seconds, ([str(rows), "1", f"data.num_workers={n}", *LOCAL] for n in numbers))


def main(seconds: float, store: bool) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, done = (with_store if store else with_hazards)(folder, seconds)
        records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        found = (folder / QUARANTINE).read_text().splitlines() if (folder / QUARANTINE).exists() else []
        named = sorted({json.loads(line)["row"] for line in found})
        innocent = set(named) - BAD

        from loading import digest, loader_of

        known = [] if store else [f"loader.quarantine={folder}"]
        undisturbed = loader_of(
            experiment(rows, f"data.batch_size={BATCH}", "data.num_workers=2", *known), folder / "undisturbed"
        )
        expected: list[str] = []
        while len(expected) < len(records):
            expected.extend(digest(batch) for batch in undisturbed)
        undisturbed.close()
    steps = Counter(record["step"] for record in records)
    lost = sum(step not in steps for step in range(max(steps) + 1))
    repeated = sum(count - 1 for count in steps.values())
    wrong = sum(record["digest"] != expected[record["step"]] for record in records)
    restarts = sum(
        last["restarts"] for last, following in zip(records, [*records[1:], {"restarts": -1}], strict=True)
        if following["restarts"] < last["restarts"]
    )  # fmt: skip
    print(
        f"{len(records) * BATCH} samples in {len(records)} batches: {lost} lost, {repeated} repeated, {wrong} different"
    )
    print(f"{dict(done)}; {restarts} workers replaced; bad rows named: {named}")
    print(f"memory of the main process grew by {growth(records) / 2**20:.2f} MiB per 1000 samples")
    if innocent:
        print(f"innocent rows blamed, each read by two workers as they were killed: {sorted(innocent)}")
    return int(bool(lost or repeated or wrong or innocent))


def growth(records: list[dict]) -> float:
    """Bytes per 1000 samples: the slope of a line through the longest life of the trainer, its first third left out."""
    lives: list[list[int]] = [[]]
    for before, record in zip([None, *records], records, strict=False):
        if before is not None and record["pids"] != before["pids"] and record["restarts"] < before["restarts"]:
            lives.append([])
        lives[-1].append(record["rss"])
    longest = max(lives, key=len)
    rest = longest[len(longest) // 3 :]
    return float(np.polyfit(np.arange(len(rest)) * BATCH / 1000, rest, 1)[0]) if len(rest) > 2 else 0.0


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    if sys.argv[1:2] == ["--trainer"]:
        trainer(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
    else:
        numbers = [float(word) for word in sys.argv[1:] if word != "--store"]
        sys.exit(main(numbers[0] if numbers else SECONDS, "--store" in sys.argv))
