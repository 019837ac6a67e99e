"""A long run of mixed good and bad files under random kills and resumes: what was seen, lost, repeated.

    make soak                       # ten minutes
    python tests/soak.py 60         # a minute

A trainer process streams batches with one to three workers and records each batch, with a hash of all its bits,
together with the place that it would resume from. This process kills it with SIGKILL or SIGTERM at random moments,
kills its workers, and starts it again, each time with another number of workers. Of 40 files one is cut off, one is
text and one has flipped bits; one crashes its worker and one hangs in native code without giving the GIL back. In the
end every record is compared with a run that nothing disturbed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

HERE = Path(__file__).resolve().parent
SECONDS = 600
VIDEOS = 40
BATCH = 8
HAZARDS = {17: "segfault.mp4", 29: "hang.mp4"}
BAD = {5, 11, 23, *HAZARDS}
QUARANTINE = "quarantine.jsonl"


def experiment(rows: Path, workers: int):
    from loading import tiny

    overrides = [
        f"data.num_workers={workers}", f"data.batch_size={BATCH}", "decoder._target_=hazards.HazardousDecoder",
        "loader.sample_timeout_sec=10", "loader.max_failure_rate=1", "loader.max_restarts=1000",
    ]  # fmt: skip
    return tiny(rows, *overrides)


def write_rows(folder: Path) -> Path:
    """`VIDEOS` rows: good ones, damaged ones, and the two hazards."""
    from footage import bit_flipped, truncated
    from loading import rows_csv

    from vjepa_pipe.synthetic import write_synthetic_videos

    good = write_synthetic_videos(folder / "videos", 8)
    rows = rows_csv(folder / "rows.csv", good, {5: "text.txt", **HAZARDS}, VIDEOS)
    lines = rows.read_text().splitlines()
    source = Path(lines[0].rsplit(" ", 1)[0])
    lines[11] = f"{truncated(source, folder / 'cut.mp4', 0.6)} 11"
    lines[23] = f"{bit_flipped(source, folder / 'flipped.mp4', np.random.default_rng(1), 400, (0.3, 0.9))} 23"
    rows.write_text("\n".join(lines) + "\n")
    return rows


def trainer(folder: Path, workers: int) -> None:
    """Consume for ever; SIGTERM ends it between two batches. The log is the model: it is saved with the place."""
    from loading import digest, loader_of

    from vjepa_pipe.tasks.stopping import Sigterm

    loader, log = loader_of(experiment(folder / "rows.csv", workers), folder), folder / "log.jsonl"
    lines = log.read_bytes().splitlines() if log.exists() else []
    if lines:
        loader.load_state_dict(json.loads(lines[-1])["state"])
    main = psutil.Process()
    with Sigterm() as sigterm, log.open("a") as file:
        while True:
            for batch in loader:
                record = {
                    "step": loader.schedule.containing(batch["key"][0].position).step,
                    "digest": digest(batch),
                    "state": loader.state_dict(),
                    "pids": loader._pool.pids,
                    "rss": main.memory_info().rss,
                    "restarts": loader.report.restarts,
                }
                file.write(json.dumps(record) + "\n")  # one write: whole, or cut off and dropped by `whole_lines`
                file.flush()
                if sigterm.received:
                    loader.close()
                    return


def whole_lines(log: Path) -> None:
    """Drop a line that a kill cut off: that batch was not consumed."""
    if log.exists():
        text = log.read_bytes()
        log.write_bytes(text[: text.rfind(b"\n") + 1])


def disturb(folder: Path, seconds: float) -> Counter[str]:
    """Start, kill and start again until the time is over; returns what was done."""
    chance, done, until = random.Random(0), Counter(), time.monotonic() + seconds
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    log = folder / "log.jsonl"
    while time.monotonic() < until:
        command = [sys.executable, __file__, "--trainer", str(folder), str(chance.choice([1, 2, 3]))]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        done["starts"] += 1
        life = time.monotonic() + chance.uniform(4, 40)
        size = log.stat().st_size if log.exists() else 0
        while time.monotonic() < min(life, until) and process.poll() is None:
            time.sleep(chance.uniform(0.1, 3))
            if chance.random() < 0.2 and log.exists() and log.stat().st_size > size:
                last = log.read_bytes().splitlines()[-2]
                try:
                    os.kill(chance.choice(json.loads(last)["pids"]), signal.SIGKILL)
                    done["workers killed"] += 1
                except ProcessLookupError:
                    pass
        if process.poll() is not None:
            sys.exit(f"the trainer ended by itself with status {process.returncode}")
        hard = chance.random() < 0.7
        process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        process.wait()
        done["SIGKILL" if hard else "SIGTERM"] += 1
        whole_lines(log)
    return done


def main(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_rows(folder)
        done = disturb(folder, seconds)
        records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        named = sorted(json.loads(line)["row"] for line in (folder / QUARANTINE).read_text().splitlines())
        innocent = set(named) - BAD

        from loading import digest, loader_of, tiny

        undisturbed = loader_of(
            tiny(
                rows,
                f"data.batch_size={BATCH}",
                f"loader.quarantine={folder}",
                "loader.max_failure_rate=1",
                "data.num_workers=2",
            ),
            folder / "undisturbed",
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
        trainer(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
