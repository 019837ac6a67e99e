"""Where a packet of H.264 is missing, the numbers of pictures tell, and frames behind it are refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import pytest
from footage import read_counter, real_footage, write_video
from mutants import remuxed

from vjepa_pipe.video import PyavDecoder, VideoError
from vjepa_pipe.video.index.key_packets import stands_alone
from vjepa_pipe.video.index.missing_pictures import MissingPictures
from vjepa_pipe.video.index.nal_units import units

ENCODINGS = {
    "no B-frames": {"bf": "0"},
    "pyramid of B-frames": {"bf": "7", "x264-params": "b-pyramid=normal:b-adapt=0"},
    "open groups": {"bf": "3", "x264-params": "open-gop=1:scenecut=0"},
    "refreshed": {"x264-params": "intra-refresh=1:bframes=0"},
    "slices": {"x264-params": "slices=4:ref=4"},
    "interlaced": {"flags": "+ilme+ildct", "x264-params": "tff=1:bframes=2"},
    "scaling matrices": {"x264-params": "cqm=jvt:profile=high:8x8dct=1"},
    "baseline": {"profile": "baseline"},
}


def packets_of(path: Path) -> tuple[bytes | None, list[bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.extradata, [bytes(packet) for packet in container.demux(stream) if packet.size]


def is_reference(configuration: bytes | None, packet: bytes) -> bool:
    """Whether others may refer to the picture of a packet."""
    kinds = (unit[0] for unit in units("h264", configuration, packet) if unit[0] & 0x1F in (1, 5))
    return bool(next(kinds) & 0x60)


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
@pytest.mark.parametrize("name", ENCODINGS)
def test_numbers_tell_what_is_missing(name: str, suffix: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"a.{suffix}", 40, options={"g": "16", **ENCODINGS[name]})
    configuration, packets = packets_of(path)
    whole = MissingPictures(configuration)
    assert not any(whole.before(packet) for packet in packets)
    referred = [number for number, packet in enumerate(packets) if is_reference(configuration, packet)]
    needed = [
        lost for lost, following in pairwise(referred) if not stands_alone("h264", configuration, packets[following])
    ]
    for lost in range(1, 38):
        part = MissingPictures(configuration)
        noticed = any([part.before(packet) for number, packet in enumerate(packets) if number != lost])
        assert noticed if lost in needed else not noticed or lost in referred, lost


@pytest.mark.parametrize("lost", [5, 15, 16])
def test_frames_behind_a_missing_picture_are_refused_up_to_the_next_key(lost: int, tmp_path: Path) -> None:
    source = write_video(tmp_path / "whole.mp4", 48, options={"g": "16", "bf": "0"})
    path = remuxed(source, tmp_path / "part.mp4", lambda number, packet: [] if number == lost else [packet])
    whole = [number for number in range(48) if number != lost]
    with PyavDecoder().open(str(path)) as reader:
        assert reader.num_frames == 47
        for number, counter in enumerate(whole):
            refused = lost < counter < 16 or 16 == lost < counter < 32
            try:
                assert read_counter(reader.read([number])[0]) == counter and not refused
            except VideoError:
                assert refused


@pytest.mark.parametrize("path", real_footage(), ids=lambda path: path.name)
def test_real_footage_misses_nothing(path: Path) -> None:
    configuration, packets = packets_of(path)
    pictures = MissingPictures(configuration)
    assert not any(pictures.before(packet) for packet in packets)
