"""HEVC with temporal layers: what says that nothing refers to it speaks of its own layer only."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from footage import write_video
from mutants import copied, remuxed

from vjepa_pipe.video import PyavDecoder
from vjepa_pipe.video.index.nal_units import LENGTH_SIZE_AT, temporal_layer, units

X265 = "log-level=none:keyint=24:bframes=3:b-adapt=0:scenecut=0:b-pyramid=1:ref=1"
NO_REFERENCE_BELOW = 16  # ITU-T H.265, table 7-1: even types below are of pictures that none of their layer refers to


def slice_kind(configuration: bytes, packet: bytes) -> int:
    """The type of a packet's first slice."""
    kinds = (unit[0] >> 1 & 0x3F for unit in units("hevc", configuration, packet))
    return next(kind for kind in kinds if kind < 32)


def relabelled(configuration: bytes, packet: bytes, layer: int) -> bytes:
    """A packet whose slices say that they are of a layer, and that no picture of that layer refers to them."""
    size, out = (configuration[LENGTH_SIZE_AT["hevc"]] & 3) + 1, b""
    for unit in units("hevc", configuration, packet):
        head = unit[:2]
        if unit[0] >> 1 & 0x3F < NO_REFERENCE_BELOW:
            head = bytes([unit[0] & ~2, unit[1] & 0xF8 | layer + 1])
        out += len(unit).to_bytes(size, "big") + head + unit[2:]
    return out


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Groups of P, B and two b: the b, of the layer above, refer to the B, which none of its own layer refers to."""
    folder = tmp_path_factory.mktemp("layers")
    source = write_video(folder / "plain.mp4", 40, codec="libx265", options={"x265-params": X265})
    with av.open(str(source)) as container:
        configuration = container.streams.video[0].codec_context.extradata
    latest = -1

    def change(number: int, packet: av.Packet) -> list[av.Packet]:
        nonlocal latest
        forward, latest = packet.pts > latest, max(packet.pts, latest)
        kind = slice_kind(configuration, bytes(packet))
        if forward or kind >= NO_REFERENCE_BELOW:
            return [packet]
        return [copied(packet, relabelled(configuration, bytes(packet), int(kind % 2 == 0)))]

    return remuxed(source, folder / "layered.mp4", change)


def test_every_frame_of_a_layered_stream_is_read_right(layered: Path) -> None:
    with av.open(str(layered)) as container:
        whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(whole) == 40
    with PyavDecoder().open(str(layered)) as reader:
        for number in np.random.default_rng(0).permutation(40):
            assert np.array_equal(reader.read([number])[0], whole[number])
        decoded = reader.frames_decoded
        assert reader._may_skip  # not for having failed before
    with PyavDecoder().open(str(layered)) as reader:
        reader.read([20])
        assert reader.frames_decoded < 21  # pictures of the top layer are left out
    assert decoded < sum(range(40))


def test_layers_are_told_by_their_packets(layered: Path) -> None:
    with av.open(str(layered)) as container:
        stream = container.streams.video[0]
        configuration = stream.codec_context.extradata
        layers = [temporal_layer("hevc", configuration, bytes(one)) for one in container.demux(stream) if one.size]
    assert set(layers) == {0, 1} and layers[0] == 0
    assert temporal_layer("h264", None, b"\0\0\1\x65") == 0
