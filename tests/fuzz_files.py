"""Damaged videos by the thousand, read in processes of their own: only true frames or a `VideoError` may come of them.

    make soak                              # 5,000 mutants, a few minutes
    python tests/fuzz_files.py 500         # 500
    python tests/fuzz_files.py 1 4345      # the mutant of seed 4345

A frame that is read must be the picture that decoding the file from its start to its end shows at that time, or the
one of the whole file. Exceptions are counted apart: formats without checksums whose decoders patch over damage and do
not tell (docs/reliability.md).
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
COUNT, AT_ONCE = 5000, 2
SECONDS = 180  # for one mutant on a busy machine; longer is a hang
FAULTS = ("other frames", "bare error", "crash", "hang")
# Decoders that patch over damage and do not tell; the last two neither tell when what they refer to is missing.
CONCEALING = ("mjpeg", "mpeg4", "msmpeg4", "qtrle", "h265", "vp8", "ffv1")
HARMLESS = {"truncated", "wrong_times", "false_key_marks"}
MISSING = {"dropped_packets", "duplicated_packets"}

Pictures = dict[int, list[NDArray[np.uint8]]]


class Outcome(NamedTuple):
    """What came of a mutant: `read`, `partly` (some frames refused), `refused`, `concealed`, or one of `FAULTS`."""

    seed: int
    source: str
    kind: str
    result: str
    detail: str


def outcome(seed: int, folder: Path) -> Outcome:
    """Write the mutant of a seed into a folder, and read it in several ways; it stays there if that is a fault."""
    from mutants import mutant, source

    name, kind, path = mutant(seed, folder)
    try:
        result, detail = _read(seed, path, _shown(source(name, folder)))
    except Exception as error:
        result, detail = "bare error", repr(error)[:200]
    if result == "other frames" and _may_conceal(name.split(".")[0].split("_")[0], kind):
        result = "concealed"
    if result not in FAULTS:
        path.unlink()
    return Outcome(seed, name, kind, result, detail)


def _may_conceal(codec: str, kind: str) -> bool:
    return codec in CONCEALING and kind not in HARMLESS and (kind not in MISSING or codec in CONCEALING[-2:])


def _read(seed: int, path: Path, whole: Pictures) -> tuple[str, str]:
    """Read a file all at once, frame by frame, and in spread clips; what came of it."""
    from vjepa_pipe.video import PyavDecoder, VideoError, probe

    rng = np.random.default_rng(seed)
    try:
        packed = b64decode(probe(str(path)).packets) if seed % 2 else b""
        reader = PyavDecoder().open(str(path), packed)
    except VideoError as error:
        return "refused", error.reason
    read, refused, wrong = 0, 0, []
    with reader:
        count, tick = reader.num_frames, float(reader._stream.time_base)
        damaged, counted = _shown(path), _in_order(path) if not reader._index.timed else []
        clips = [[*range(min(count, 60))], *([int(one)] for one in rng.permutation(count)[:8])]
        for clip in [*clips, *rng.integers(0, count, (3, 6)).tolist()]:
            try:
                frames = reader.read(clip)
            except VideoError:
                refused += 1
                continue
            for number, frame in zip(clip, frames, strict=True):
                read += 1
                ticks = round(reader.frame_times[number] / tick)
                true = counted[number : number + 1] or [*damaged.get(ticks, []), *whole.get(ticks, [])]
                if not any(np.array_equal(frame, one) for one in true):
                    wrong.append(number)
    if wrong:
        return "other frames", f"{len(wrong)} of {read}, such as {wrong[:4]}"
    return "partly" if refused else "read", ""


@cache
def _whole(path: Path) -> Pictures:
    return _collect(path)


def _shown(path: Path) -> Pictures:
    """The pictures that a decode from start to end shows, by time; several where packets have one time."""
    return _collect(path) if path.name.startswith("mutant") else _whole(path)


def _collect(path: Path) -> Pictures:
    found: Pictures = {}
    for time, picture in _decoded(path):
        if time is not None:
            found.setdefault(time, []).append(picture)
    return found


def _in_order(path: Path) -> list[NDArray[np.uint8]]:
    return [picture for _, picture in _decoded(path)]


def _decoded(path: Path) -> Iterator[tuple[int | None, NDArray[np.uint8]]]:
    """Time and RGB of every picture that comes out of a file; packets with an error are passed over."""
    from vjepa_pipe.video.opening import OPEN_OPTIONS

    with av.open(str(path), metadata_errors="replace", container_options=OPEN_OPTIONS) as container:
        stream = container.streams.best("video")
        context, to_rgb = stream.codec_context, VideoReformatter()
        context.thread_count = 1
        size = {"width": context.width, "height": context.height, "format": "rgb24"}
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                packet = None
            try:
                pictures = context.decode(packet) if packet is None or packet.size else []
            except av.FFmpegError:
                pictures = []
            for picture in pictures:
                image = to_rgb.reformat(picture, **size).to_ndarray()
                yield picture.pts, np.rot90(image, picture.rotation // 90) if picture.rotation % 90 == 0 else image
            if packet is None:
                return


def child(first: int, last: int, folder: Path) -> None:
    """Tell the outcomes of some seeds, a line for each; the parent finds the one that ends this process."""
    for seed in range(first, last):
        print(json.dumps(outcome(seed, folder)), flush=True)


def watched(first: int, last: int, folder: Path, found: list[Outcome]) -> None:
    """Have children go through some seeds, and go on behind one that crashes or hangs its child."""
    from mutants import named

    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    seed = first
    while seed < last:
        command = [sys.executable, __file__, "--child", str(seed), str(last), str(folder)]
        process = subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: [lines.put(line) for line in (*process.stdout, "")], daemon=True).start()  # noqa: B023
        result = "crash"
        while seed < last:
            try:
                line = lines.get(timeout=SECONDS)
            except queue.Empty:
                result = "hang"
                break
            if not line:
                break
            found.append(Outcome(*json.loads(line)))
            seed += 1
        process.kill()
        status = process.wait()
        if seed < last:
            found.append(Outcome(seed, *named(seed), result, f"status {status}"))
            seed += 1


def main(count: int, first: int = 0) -> int:
    """Read the mutants of some seeds; the exit status."""
    with tempfile.TemporaryDirectory() as name:
        found: list[Outcome] = []
        share = -(-count // AT_ONCE)
        parts = [(first + share * i, min(first + share * (i + 1), first + count)) for i in range(AT_ONCE)]
        threads = []
        for i, (low, high) in enumerate(parts):
            folder = Path(name) / str(i)
            folder.mkdir()
            threads.append(threading.Thread(target=watched, args=(low, high, folder, found)))
            threads[-1].start()
        for thread in threads:
            thread.join()
    print(f"{len(found)} mutants: {dict(Counter(one.result for one in found))}")
    for one in found:
        if one.result in FAULTS:
            print(*one)
    concealed = Counter(f"{one.source} {one.kind}" for one in found if one.result == "concealed")
    print(f"concealed: {dict(concealed)}")
    return int(any(one.result in FAULTS for one in found))


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    if sys.argv[1:2] == ["--child"]:
        child(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    else:
        sys.exit(main(*(map(int, sys.argv[1:]) if len(sys.argv) > 1 else [COUNT])))
