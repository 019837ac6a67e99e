"""Bare decoders on the same clips: opening and reading 16 frames at 4 fps, processor time in ms per clip.

    python bench/decoders.py FILE_OR_FOLDER ... > decoders.json

Decoders take turns on every file, so that a busy machine is equally unkind to each; the figure is the median.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from vjepa_pipe.video import (
    ClipSampler,
    Decoder,
    DecordDecoder,
    PyavDecoder,
    TorchcodecDecoder,
    VideoError,
)

SAMPLER = ClipSampler(target_fps=4, convention="reference")
DECODERS: dict[str, Decoder] = {
    "pyav": PyavDecoder(),
    "decord": DecordDecoder(),
    "torchcodec": TorchcodecDecoder(),
}
ROUNDS = 7


def cost(decoder: Decoder, path: str, seed: int) -> float | None:
    started = time.process_time()
    try:
        with decoder.open(path) as video:
            clip = SAMPLER.draw(np.random.default_rng(seed), video.num_frames, video.fps)[0]
            video.read(clip)
    except VideoError:
        return None
    return 1e3 * (time.process_time() - started)


def main() -> None:
    torch.set_num_threads(1)  # as in a worker
    paths = [Path(name) for name in sys.argv[1:]]
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    files = [file for file in files if file.is_file() and file.suffix not in (".csv", ".json")]
    table = {}
    for file in files:
        costs: dict[str, list[float]] = {name: [] for name in DECODERS}
        for seed in range(-1, ROUNDS):  # the first round loads the libraries
            for name, decoder in DECODERS.items():
                spent = cost(decoder, str(file), max(seed, 0))
                if spent is not None and seed >= 0:
                    costs[name].append(spent)
        table[file.name] = {name: round(median(spent), 1) if spent else None for name, spent in costs.items()}
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
