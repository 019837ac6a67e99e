"""What copies cost and save, by encoding: bytes, time to make, time to read a clip, and how far pixels are off.

    python bench/prepared.py FOLDER FILE ... > prepared.json

Copies go into FOLDER, at a short side of 256, and stay there. A clip is 16 frames at 4 fps, opened and read; encodings
take turns on every file, so that a busy machine is equally unkind to each. Times are processor time, medians over files
and rounds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from vjepa_pipe.tasks.prepare_copy import Encoding, encode
from vjepa_pipe.video import ClipSampler, PyavDecoder

SAMPLER = ClipSampler(target_fps=4, convention="reference")
ROUNDS = 15
SHORT_SIDE = 256


def x264(group: int, crf: int, preset: str = "veryfast", **more: str) -> Encoding:
    options = {"preset": preset, "crf": str(crf), "g": str(group), "bf": "0", "tune": "fastdecode"}
    return Encoding("libx264", "yuv420p", options | more)


def mjpeg(qscale: int) -> Encoding:
    return Encoding("mjpeg", "yuvj420p", {"qmin": str(qscale), "qmax": str(qscale)})


B_FRAMES = {"bf": "7", "x264-params": "b-adapt=0:b-pyramid=none:scenecut=0"}
VP9 = {"g": "1", "b": "0", "crf": "42", "deadline": "realtime", "cpu-used": "6", "lag-in-frames": "0"}
AV1 = {"g": "1", "preset": "9", "crf": "21", "svtav1-params": "keyint=1:lp=1:fast-decode=2"}
ENCODINGS = {
    "h264, 16 frames, crf 21": x264(16, 21),
    "h264, 8 frames, crf 21": x264(8, 21),
    "h264, 4 frames, crf 20": x264(4, 20),
    "h264, 2 frames, crf 19": x264(2, 19),
    "h264, key frames, crf 15": x264(1, 15),
    "motion JPEG, qscale 3": mjpeg(3),
    "motion JPEG, qscale 4": mjpeg(4),
    "motion JPEG, qscale 5": mjpeg(5),
    "VP9, key frames, crf 42": Encoding("libvpx-vp9", "yuv420p", VP9),
    "AV1, key frames, crf 21": Encoding("libsvtav1", "yuv420p", AV1),
    "h264, 8 frames, 7 B-frames": x264(8, 21, **B_FRAMES),
    "h264, key frames, CABAC": x264(1, 15, **{"x264-params": "cabac=1"}),
    "h264, key frames, deblocked": x264(1, 15, tune="psnr", **{"x264-params": "cabac=0"}),
    "h264, key frames, 4x4 transform": x264(1, 15, **{"x264-params": "8x8dct=0"}),
    "h264, key frames, 4 slices": x264(1, 15, slices="4"),
    "h264, key frames, ultrafast": x264(1, 17, preset="ultrafast"),
}
"""Of about equal quality; what is below AV1 is tried for its speed."""


def read(path: Path, seed: int) -> float:
    """Milliseconds for a clip."""
    started = time.process_time()
    with PyavDecoder().open(str(path)) as video:
        video.read(SAMPLER.draw(np.random.default_rng(seed), video.num_frames, video.fps)[0])
    return 1e3 * (time.process_time() - started)


def psnr(one: Path, other: Path) -> float:
    """Of 16 frames, in dB."""
    with PyavDecoder().open(str(one)) as a, PyavDecoder().open(str(other)) as b:
        frames = np.linspace(0, a.num_frames - 1, 16).astype(int)
        error = a.read(frames).astype(np.float32) - b.read(frames)
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def main() -> None:
    folder, files = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    folder.mkdir(exist_ok=True)
    found: dict[str, dict[str, list[float]]] = {}
    for name, encoding in ENCODINGS.items():
        found[name] = {"bytes": [], "seconds per minute": [], "psnr": [], "ms": []}
        for file in files:
            copy = folder / f"{file.stem} {name}.mp4"
            started = time.process_time()
            frames, fps = encode(str(file), copy, encoding, SHORT_SIDE)
            found[name]["seconds per minute"].append((time.process_time() - started) / (frames / fps / 60))
            found[name]["bytes"].append(copy.stat().st_size / file.stat().st_size)
            found[name]["psnr"].append(psnr(file, copy))
    found["untouched"] = {"ms": []}
    for seed in range(-1, ROUNDS):  # the first round loads the libraries
        for file in files:
            for name, values in found.items():
                spent = read(folder / f"{file.stem} {name}.mp4" if name in ENCODINGS else file, max(seed, 0))
                values["ms"] += [spent] if seed >= 0 else []
    table = {name: {key: round(median(values), 2) for key, values in row.items()} for name, row in found.items()}
    for row in table.values():
        row["clips/s to untouched"] = round(table["untouched"]["ms"] / row["ms"], 2)
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
