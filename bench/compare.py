"""Compare the loaders on a corpus, in turn: `make bench CORPUS=folder UPSTREAM=checkout` prints one table.

    python bench/compare.py CORPUS --upstream CHECKOUT --rounds 3 --out bench.json

CORPUS holds a csv of `path label` lines for each kind of footage. Every round runs every loader once on each csv, so
that a busy machine is equally unkind to all. Rows named by --rand-augment are run a second time with RandAugment.
Without a checkout, and with a --size of two numbers, the published loader is left out. Ratios are medians over the
rounds of the ratio within a round.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from table import lines

RUN = Path(__file__).parent / "loaders.py"
FAST = ["data_aug.precision=fast"]
BYTES = [*FAST, "loader.output=uint8"]
FOUR = ["data.repeated_sampling=4"]
ONE_WINDOW = [*FOUR, "data.repeated_window=same"]
CONTENDERS = {
    "published": ("published", []),
    "ours": ("ours", []),
    "ours, fast, uint8": ("ours", BYTES),
    "4 clips": ("ours", FOUR),
    "4 clips, one window": ("ours", ONE_WINDOW),
    "bare decode": ("decode", []),
}
OTHERS = {
    "ours, fast": ("ours", FAST),
    "2 clips": ("ours", ["data.repeated_sampling=2"]),
    "2 clips, fast, uint8": ("ours", ["data.repeated_sampling=2", *BYTES]),
    "4 clips, fast, uint8": ("ours", [*FOUR, *BYTES]),
    "4 clips, one window, fast, uint8": ("ours", [*ONE_WINDOW, *BYTES]),
}
"""Run with `--contenders`."""
BATCH_SIZE, WORKERS = 8, 2


def run(
    loader: str,
    csv: Path,
    args: argparse.Namespace,
    overrides: list[str],
    extra: list[str],
    python: str = sys.executable,
) -> dict[str, float]:
    command = [python, str(RUN), loader, "--csv", str(csv), "--batches", str(args.batches), *extra]
    command += ["--batch", str(BATCH_SIZE), "--workers", str(WORKERS)]
    command += ["--upstream", args.upstream] if args.upstream else []
    command += ["--override", *overrides] if overrides else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--upstream")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--size", type=int, nargs="+", default=[256], help="of clips: a side, or height and width")
    parser.add_argument("--rows", nargs="*", help="names of the csv files; all when left out")
    parser.add_argument("--contenders", nargs="*", default=list(CONTENDERS), choices=[*CONTENDERS, *OTHERS])
    parser.add_argument("--rand-augment", nargs="*", default=[], metavar="ROW")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    args = parser.parse_args()
    files = sorted(args.corpus.glob("*.csv"))
    rows = {file.stem: (file, []) for file in files if not args.rows or file.stem in args.rows}
    rows |= {f"{row}, RandAugment": (rows[row][0], ["--auto-augment"]) for row in args.rand_augment}
    size = ["--size", *map(str, args.size)]
    names = [name for name in args.contenders if (args.upstream and len(args.size) == 1) or name != "published"]
    seen: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(args.rounds):
        for row, (csv, extra) in rows.items():
            for name in names:
                loader, overrides = (CONTENDERS | OTHERS)[name]
                seen[row][name].append(run(loader, csv, args, overrides, [*size, *extra]))
                print(row, name, seen[row][name][-1], flush=True)
            args.out.write_text(json.dumps(report(seen, args), indent=2) + "\n")
    print("\n".join(["", *lines(report(seen, args))]))


def report(seen: dict[str, dict[str, list[dict[str, float]]]], args: argparse.Namespace) -> dict[str, Any]:
    packages = {name: version(name) for name in ("torch", "av", "decord", "torchcodec")}
    rows = medians(seen, {"published": "times_published", "bare decode": "of_bare_decode"})
    return {
        **settings(args),
        "img_size": args.size,
        "versions": {"Python": platform.python_version(), **packages},
        "rows": rows,
    }


def settings(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "machine": f"{processor()}, {len(psutil.Process().cpu_affinity())} cores",
        "rounds": args.rounds,
        "batches": args.batches,
        "batch_size": BATCH_SIZE,
        "workers": WORKERS,
    }


def medians(seen: dict[str, dict[str, list[dict[str, float]]]], ratios: dict[str, str]) -> dict[str, Any]:
    """Over the rounds, by row and loader; `ratios` names figures of the speed to that of some loaders."""
    rows: dict[str, Any] = {}
    for row, loaders in seen.items():
        rows[row] = {}
        for name, runs in loaders.items():
            figures = {figure: round(median(run[figure] for run in runs), 2) for figure in runs[0]}
            figures["lowest"], figures["highest"] = (of(run["clips_per_s"] for run in runs) for of in (min, max))
            for other, title in ratios.items():
                pairs = list(zip(runs, loaders.get(other, []), strict=False))
                if pairs:
                    figures[title] = round(median(one["clips_per_s"] / two["clips_per_s"] for one, two in pairs), 2)
            rows[row][name] = figures
    return rows


def processor() -> str:
    """Its name, where Linux or Python knows it."""
    facts = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"^model name\s*: (.*)", facts, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
