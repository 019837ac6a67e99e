"""Compare the loaders on a corpus, in turn, and write the medians: `make bench CORPUS=folder UPSTREAM=checkout`.

    python bench/compare.py CORPUS --upstream CHECKOUT --rounds 3 --out bench.json

CORPUS holds a csv of `path label` lines for each kind of footage. Every round runs every loader once on each csv, so
that a busy machine is equally unkind to all. Rows named by --rand-augment are run a second time with RandAugment.
Without a checkout the published loader is left out. Ratios are medians over the rounds of the ratio within a round.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

RUN = Path(__file__).parent / "loaders.py"
FAST = ["data_aug.precision=fast"]
BYTES = [*FAST, "loader.output=uint8"]
CONTENDERS = {
    "published": ("published", []),
    "ours": ("ours", []),
    "ours, fast": ("ours", FAST),
    "ours, fast, uint8": ("ours", BYTES),
    "bare sparse decode": ("decode", []),
}
CLIPS = {
    "1 clip": [],
    "2 clips": ["data.repeated_sampling=2"],
    "4 clips": ["data.repeated_sampling=4"],
    "4 clips, one window": ["data.repeated_sampling=4", "data.repeated_window=same"],
}
REPEATED = {
    f"{name}{precision}": ("ours", [*clips, *overrides])
    for precision, overrides in (("", []), (", fast, uint8", BYTES))
    for name, clips in CLIPS.items()
}
"""Clips from one opening of a video. Run with `--contenders`."""


def run(loader: str, csv: Path, args: argparse.Namespace, overrides: list[str], extra: list[str]) -> dict[str, float]:
    command = [sys.executable, str(RUN), loader, "--csv", str(csv), "--batches", str(args.batches), *extra]
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
    parser.add_argument("--rows", nargs="*", help="names of the csv files; all when left out")
    parser.add_argument("--contenders", nargs="*", default=list(CONTENDERS), choices=[*CONTENDERS, *REPEATED])
    parser.add_argument("--rand-augment", nargs="*", default=[], metavar="ROW")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    args = parser.parse_args()
    files = sorted(args.corpus.glob("*.csv"))
    rows = {file.stem: (file, []) for file in files if not args.rows or file.stem in args.rows}
    rows |= {f"{row}, RandAugment": (rows[row][0], ["--auto-augment"]) for row in args.rand_augment}
    names = [name for name in args.contenders if args.upstream or name != "published"]
    seen: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(args.rounds):
        for row, (csv, extra) in rows.items():
            for name in names:
                loader, overrides = (CONTENDERS | REPEATED)[name]
                seen[row][name].append(run(loader, csv, args, overrides, extra))
                print(row, name, seen[row][name][-1], flush=True)
            args.out.write_text(json.dumps(report(seen, args), indent=2) + "\n")


def report(seen: dict[str, dict[str, list[dict[str, float]]]], args: argparse.Namespace) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for row, loaders in seen.items():
        rows[row] = {}
        for name, runs in loaders.items():
            figures = {figure: round(median(run[figure] for run in runs), 2) for figure in runs[0]}
            for other, title in (("published", "times_published"), ("bare sparse decode", "of_bare_decode")):
                pairs = list(zip(runs, loaders.get(other, []), strict=False))
                if pairs:
                    figures[title] = round(median(one["clips_per_s"] / two["clips_per_s"] for one, two in pairs), 2)
            rows[row][name] = figures
    packages = {name: version(name) for name in ("torch", "av", "decord", "torchcodec")}
    settings = {"rounds": args.rounds, "batches": args.batches}
    return {"machine": platform.processor() or platform.machine(), **settings, "versions": packages, "rows": rows}


if __name__ == "__main__":
    main()
