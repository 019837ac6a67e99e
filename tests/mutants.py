"""Damaged videos: small files of many kinds, each changed in one way that a seed decides.

Some mutators change bytes of a file; others write its packets again, and change those.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from footage import write_video

Rng = np.random.Generator

_H264 = {"g": "8", "bf": "2"}
_X265 = {"x265-params": "log-level=none:keyint=8:bframes=2"}
_FAST = {"g": "8", "deadline": "realtime", "cpu-used": "8"}
SOURCES: dict[str, dict[str, object]] = {
    "h264.mp4": {"options": _H264},
    "h264_open.mp4": {"options": {"x264-params": "open-gop=1:scenecut=0:b-adapt=0", **_H264}},
    "h264_fragments.mp4": {"options": _H264, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "h264.mkv": {"options": _H264},
    "h264.flv": {"options": _H264},
    "h264.ts": {"options": _H264},
    "h264.avi": {"options": _H264},
    "h265.mp4": {"codec": "libx265", "options": _X265},
    "h265.mkv": {"codec": "libx265", "options": _X265},
    "mpeg4.mov": {"codec": "mpeg4", "options": _H264},
    "mpeg4.avi": {"codec": "mpeg4", "options": _H264},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": _H264},
    "mpeg2.mkv": {"codec": "mpeg2video", "options": _H264},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "vp8.webm": {"codec": "libvpx", "options": _FAST},
    "vp9.webm": {"codec": "libvpx-vp9", "options": _FAST},
    "vp9.mp4": {"codec": "libvpx-vp9", "options": _FAST},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "12", "g": "8"}},
    "wmv2.asf": {"codec": "wmv2", "options": {"g": "8"}},
    "flv1.flv": {"codec": "flv", "options": {"g": "8"}},
    "ffv1.mkv": {"codec": "ffv1", "options": {"g": "8"}},
    "h263.3gp": {"codec": "h263", "options": {"g": "8"}},
    "msmpeg4.avi": {"codec": "msmpeg4", "options": {"g": "8"}},
    "qtrle.mov": {"codec": "qtrle", "pix_fmt": "rgb24", "options": {"g": "8"}},
    "snow.avi": {"codec": "snow", "options": {"g": "8", "strict": "-2"}},
    "svq1.mov": {"codec": "svq1", "pix_fmt": "yuv410p", "options": {"g": "8"}},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
}
FRAMES = 30


def source(name: str, folder: Path) -> Path:
    """A good file of `SOURCES`, written into a folder unless it is there."""
    path = folder / name
    return path if path.exists() else write_video(path, FRAMES, size=(128, 96), **SOURCES[name])  # type: ignore[arg-type]


def remuxed(path: Path, target: Path, change: Callable[[int, av.Packet], list[av.Packet]]) -> Path:
    """A video whose packets are written again: for each those that `change(number, packet)` gives."""
    with av.open(str(path)) as original, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(original.streams.video[0])
        packets = (packet for packet in original.demux(original.streams.video[0]) if packet.size)
        for number, packet in enumerate(packets):
            for changed in change(number, packet):
                changed.stream = stream
                copy.mux(changed)
    return target


def copied(packet: av.Packet, data: bytes | None = None) -> av.Packet:
    """The same packet, or one in its place with other bytes."""
    copy = av.Packet(bytes(packet) if data is None else data)
    copy.pts, copy.dts, copy.duration, copy.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    copy.is_keyframe = packet.is_keyframe
    return copy


# Bytes


def _flips(rng: Rng, data: bytearray, low: int, high: int) -> None:
    for place in rng.integers(low, max(high, low + 1), rng.integers(1, 6)):
        data[place] ^= 1 << int(rng.integers(8))


def flipped_header(rng: Rng, data: bytearray) -> None:
    """Bits of the first kilobyte, or of the last: tables and headers are there."""
    low = 0 if rng.random() < 0.5 else max(len(data) - 1200, 0)
    _flips(rng, data, low, min(low + 1000, len(data)))


def flipped_anywhere(rng: Rng, data: bytearray) -> None:
    """Bits of the whole file, most of it compressed pictures."""
    _flips(rng, data, 0, len(data))


def truncated(rng: Rng, data: bytearray) -> None:
    """The end is missing."""
    del data[int(rng.integers(len(data))) :]


def swapped_chunks(rng: Rng, data: bytearray) -> None:
    """Two chunks of the file have changed places."""
    size = int(rng.integers(1, len(data) // 4))
    one, other = sorted(rng.integers(0, len(data) - size, 2).tolist())
    other = max(other, min(one + size, len(data) - size))
    data[one : one + size], data[other : other + size] = data[other : other + size], data[one : one + size]


def zeroed_range(rng: Rng, data: bytearray) -> None:
    """A hole, as a download that stopped or a broken disk leaves it."""
    at, size = int(rng.integers(len(data))), int(rng.integers(1, len(data) // 4))
    data[at : at + size] = bytes(len(data[at : at + size]))


def inserted_bytes(rng: Rng, data: bytearray) -> None:
    """Random bytes between two."""
    at = int(rng.integers(len(data)))
    data[at:at] = rng.bytes(int(rng.integers(1, 200)))


def removed_bytes(rng: Rng, data: bytearray) -> None:
    """Some bytes are missing."""
    at = int(rng.integers(len(data)))
    del data[at : at + int(rng.integers(1, 200))]


# Packets: `change` of `remuxed`


def dropped_packets(rng: Rng, number: int, packet: av.Packet, chosen: set[int]) -> list[av.Packet]:
    """Some packets are missing."""
    return [] if number in chosen else [packet]


def duplicated_packets(rng: Rng, number: int, packet: av.Packet, chosen: set[int]) -> list[av.Packet]:
    """Some packets are there twice."""
    return [packet, copied(packet)] if number in chosen else [packet]


def wrong_times(rng: Rng, number: int, packet: av.Packet, chosen: set[int]) -> list[av.Packet]:
    """Some packets are shown at other times."""
    if number in chosen and packet.pts is not None:
        packet.pts += int(rng.integers(-6, 7)) * max(packet.duration or 40, 1)
        if rng.random() < 0.5:
            packet.pts = max(packet.pts, packet.dts or 0)
    return [packet]


def false_key_marks(rng: Rng, number: int, packet: av.Packet, chosen: set[int]) -> list[av.Packet]:
    """Some packets are marked as what they are not."""
    if number in chosen:
        packet.is_keyframe = not packet.is_keyframe
    return [packet]


def cut_packets(rng: Rng, number: int, packet: av.Packet, chosen: set[int]) -> list[av.Packet]:
    """Some packets have lost their end."""
    return [copied(packet, bytes(packet)[: int(rng.integers(1, packet.size + 1))])] if number in chosen else [packet]


def emptied_packets(rng: Rng, number: int, packet: av.Packet, chosen: set[int]) -> list[av.Packet]:
    """Some packets are zeros."""
    return [copied(packet, bytes(packet.size))] if number in chosen else [packet]


def exchanged_packets(rng: Rng, number: int, packet: av.Packet, chosen: set[int]) -> list[av.Packet]:
    """Some packets hold noise."""
    return [copied(packet, rng.bytes(packet.size))] if number in chosen else [packet]


BYTES = (flipped_header, flipped_anywhere, truncated, swapped_chunks, zeroed_range, inserted_bytes, removed_bytes)
PACKETS = (
    dropped_packets, duplicated_packets, wrong_times, false_key_marks, cut_packets, emptied_packets, exchanged_packets,
)  # fmt: skip


def wrong_extradata(rng: Rng, path: Path, target: Path) -> None:
    """Bits of the decoder's configuration are flipped; of the first packet, where there is none."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        secret = stream.codec_context.extradata or bytes(next(container.demux(stream)))
    place = max(data.find(secret[:16]), 0)
    _flips(rng, data, place, min(place + len(secret), len(data)))
    target.write_bytes(data)


KINDS = [mutator.__name__ for mutator in (*BYTES, *PACKETS, wrong_extradata)]
"""Names of the mutators."""


def named(seed: int) -> tuple[str, str]:
    """The source, of `SOURCES`, and the kind of change, of `KINDS`, of the mutant of a seed."""
    kind, name = KINDS[seed % len(KINDS)], list(SOURCES)[seed // len(KINDS) % len(SOURCES)]
    if name == "av1.mp4" and kind not in KINDS[: len(BYTES)]:
        kind = KINDS[seed % len(BYTES)]  # PyAV copies no stream whose decoder has another name than its codec
    return name, kind


def mutant(seed: int, folder: Path) -> tuple[str, str, Path]:
    """Write the mutant of a seed.

    Returns:
        The name of its source, the kind of change, and the file.
    """
    rng = np.random.default_rng(seed)
    name, kind = named(seed)
    path, target = source(name, folder), folder / f"mutant_{seed}_{name}"
    if kind == "wrong_extradata":
        wrong_extradata(rng, path, target)
    elif kind in KINDS[: len(BYTES)]:
        data = bytearray(path.read_bytes())
        BYTES[KINDS.index(kind)](rng, data)
        target.write_bytes(data)
    else:
        chosen = set(rng.integers(0, FRAMES, rng.integers(1, 4)).tolist())
        change = PACKETS[KINDS.index(kind) - len(BYTES)]
        with suppress(av.FFmpegError):  # where the muxer refuses it, what it has written stands
            remuxed(path, target, lambda number, packet: change(rng, number, packet, chosen))
    return name, kind, target
