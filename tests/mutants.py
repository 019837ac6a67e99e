"""Files made of good ones by one change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av


def remuxed(source: Path, target: Path, change: Callable[[int, av.Packet], av.Packet | None]) -> Path:
    """A video whose packets are written again, each as `change(number, packet)` gives it back; None leaves it out."""
    with av.open(str(source)) as original, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(original.streams.video[0])
        packets = (packet for packet in original.demux(original.streams.video[0]) if packet.size)
        for number, packet in enumerate(packets):
            changed = change(number, packet)
            if changed is not None:
                changed.stream = stream
                copy.mux(changed)
    return target
