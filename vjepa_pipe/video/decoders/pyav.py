"""Videos read with PyAV, FFmpeg's Python binding: every format that FFmpeg knows, every frame exact."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, tee
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from vjepa_pipe.config.errors import counted
from vjepa_pipe.storage import Facts, RangesRead, RemoteFile, Storage, is_remote, local_path, shown_path
from vjepa_pipe.video.decoders.indexed_reader import IndexedReader
from vjepa_pipe.video.errors import VideoError, as_video_error
from vjepa_pipe.video.index.key_packets import stands_alone
from vjepa_pipe.video.index.missing_pictures import MissingPictures
from vjepa_pipe.video.index.mp4 import index_from_tables
from vjepa_pipe.video.index.nal_units import temporal_layer
from vjepa_pipe.video.index.packet_table import PacketTable, unpack_object
from vjepa_pipe.video.index.packets import PacketIndex, Run
from vjepa_pipe.video.index.stored import unpack_index
from vjepa_pipe.video.index.walk import index_packets
from vjepa_pipe.video.opening import open_video

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from vjepa_pipe.video.decoders.range_reader import RangeReader


# Decoders that leave out a picture when told so with its packet. Others look ahead (libdav1d) or do not say.
SKIPPABLE_CODECS = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v3", "vp8", "vp9", "wmv2"})

# Containers in which FFmpeg seeks by times of showing: a time of decoding, being earlier, leads one key frame too far.
SOUGHT_BY_SHOWING = ("mov", "matroska")


CHANGED = "has changed since it was indexed"


class _IndexMismatch(VideoError):
    """A packet is not what the tables at the head of its file, or its packed index, say."""


@dataclass(frozen=True)
class PyavDecoder:
    """Opens videos with PyAV.

    Attributes:
        threads: Decoding threads of each open video. They share the slices of one picture, so only videos encoded
            in several slices gain from more than one.
        storage: Reads what lies at a URL.
    """

    threads: int = 1
    storage: Storage = field(default_factory=Storage, compare=False, repr=False)
    name: ClassVar[str] = "pyav"

    def open(self, path: str, packets: bytes = b"") -> PyavReader:
        """Open a video file; see `Decoder.open`.

        Args:
            path: The file, or its URL.
            packets: What `pack_index` made of it, which saves a walk over its packets; each is checked when it is met.
                For a URL, what `pack_object` made of it: it must still be the same object.
        """
        path = local_path(path)
        with as_video_error(shown_path(path)):
            known = unpack_object(packets) if is_remote(path) else None
            if known is not None and known.table is not None:
                return self._by_ranges(path, known.facts, known.table)
            file = self.storage.open(path) if is_remote(path) else None
            if known is None or file is None:
                return PyavReader(shown_path(path), self.threads, packets, file)
            if file.facts != known.facts:
                raise VideoError(shown_path(path), CHANGED)
            return PyavReader(shown_path(path), self.threads, known.packets, file)

    def open_unread(self, path: str, packets: bytes) -> RangeReader | None:
        """Open a video at a URL that nothing is read of before its frames are; None where something must be.

        Args:
            path: Its URL.
            packets: As for `open`.
        """
        with as_video_error(shown_path(path)):
            known = unpack_object(packets) if is_remote(path) else None
            return None if known is None or known.table is None else self._by_ranges(path, known.facts, known.table)

    def _by_ranges(self, path: str, facts: Facts, table: PacketTable) -> RangeReader:
        from vjepa_pipe.video.decoders.range_reader import RangeReader  # which is made of what stands here

        def fetch(ranges: NDArray[np.int64]) -> RangesRead:
            return self.storage.ranges(path, ranges, facts)

        return RangeReader(shown_path(path), table, fetch, facts.size, self.threads)


class PyavReader(IndexedReader):
    """An open video; see `VideoReader`.

    Opening takes the packets from a packed index, or from the tables of an MP4 file where they settle everything, else
    it walks over them once.
    Reading then decodes from the key frame before each wanted frame to that frame and no further, leaves out pictures
    that nothing wanted depends on, and converts only wanted ones to RGB.

    Attributes:
        frames_decoded: Pictures that decoding has given so far, wanted or not.
        seek_sec: Time spent so far on finding the key frames before wanted ones.
        convert_sec: Time spent so far on turning wanted ones to RGB.
        rotation: Degrees counterclockwise that the last picture was turned.
        size: Of the file, in bytes; None for a file of this machine.
    """

    def __init__(self, path: str, threads: int = 1, packets: bytes = b"", file: RemoteFile | None = None) -> None:
        from av.video.reformatter import VideoReformatter

        self.path, self._file = path, file
        self.size = None if file is None else file.facts.size
        self._threads = threads
        self._to_rgb = VideoReformatter()
        self.frames_decoded, self.seek_sec, self.convert_sec, self.rotation = 0, 0.0, 0.0, 0
        self._may_skip = True
        self._open()
        try:
            self._index, self._predicted = self._find_index(packets)
        except BaseException:
            self.close()
            raise

    def _find_index(self, packets: bytes) -> tuple[PacketIndex, bool]:
        """Where the packets are, and whether that is foretold, not seen."""
        index = unpack_index(packets, float(self._stream.time_base or 0)) if packets else None
        index = index or index_from_tables(self.path, self._container, self._stream, self._file)
        if index is not None:
            return index, True
        return index_packets(self.path, self._container, self._stream, self._file), False

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        try:
            return self._as_rgb(numbers)
        except _IndexMismatch:
            promised = self.num_frames
            self.close()
            self._open()
            self._index = index_packets(self.path, self._container, self._stream, self._file)
            self._predicted = False
            if self.num_frames != promised:
                fault = f"its tables or index speak of {counted(promised, 'frame')}, it holds {self.num_frames}"
                raise VideoError(self.path, fault) from None
            return self._as_rgb(numbers)

    def _as_rgb(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        clip: NDArray[np.uint8] | None = None
        for number, picture in self._pictures(np.unique(numbers).tolist()):
            started = time.perf_counter()
            image = self._upright_rgb(picture)
            if clip is None:
                clip = np.empty((len(numbers), *image.shape), np.uint8)
            for place in np.flatnonzero(numbers == number):
                clip[place] = image
            self.convert_sec += time.perf_counter() - started
        assert clip is not None, "numbers is not empty"
        return clip

    def close(self) -> None:
        """Free the file and the decoder."""
        self._container.close()

    def _open(self) -> None:
        self._container, self._stream = open_video(self.path, self._file)
        self._use(self._stream.codec_context)

    def _use(self, context: VideoCodecContext) -> None:
        context.thread_count = self._threads
        context.thread_type = "SLICE"  # threads that each take a frame delay every seek, and can lock up in a worker
        self._context, self._stored_size = context, (context.width, context.height)

    def _upright_rgb(self, picture: VideoFrame) -> NDArray[np.uint8]:
        """A picture as RGB uint8 [H, W, 3], turned as its file says.

        A picture that changes size within the video is scaled to the size that the header gives.
        """
        width, height = self._stored_size
        self.rotation = self._rotation_of(picture)
        plane = self._to_rgb.reformat(picture, width=width, height=height, format="rgb24", threads=1).planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)
        image = rows[:, : 3 * width].reshape(height, width, 3)  # a view; what rows are filled up with is left out
        return np.rot90(image, self.rotation // 90) if self.rotation % 90 == 0 else image

    def _rotation_of(self, picture: VideoFrame) -> int:
        return picture.rotation

    def _pictures(self, frames: list[int]) -> Iterator[tuple[int, VideoFrame]]:
        start = int(self._index.key_packets[0])
        for run in self._index.runs(frames):
            try:
                yield from self._decode(run)
            except _IndexMismatch:
                raise
            except VideoError:
                # Pictures behind a key packet may refer to some before it: all are decoded, from then on.
                if run.first == start and not self._may_skip:
                    raise
                self._may_skip = False
                yield from self._decode(run._replace(first=start))

    def _decode(self, run: Run) -> Iterator[tuple[int, VideoFrame]]:
        """Decode a run of packets and yield its wanted frames, each with its number.

        Each packet goes into the decoder with the number of its frame in place of a time, and the picture comes out
        with that number. Frames are counted only in files without times.
        """
        import av

        index = self._index
        start = int(index.key_packets[0])
        last = run.last if index.timed else len(index.frame_of) - 1
        # Pictures shown before the key frame but stored after it need what lies before, and are not wanted here.
        intact_from = int(index.key_frames[np.searchsorted(index.key_packets, run.first)])
        frame_of: list[int] = index.frame_of[run.first : last + 1].tolist()
        missing, count, skips = set(run.frames), 0, None
        try:
            started = time.perf_counter()
            packets = self._packets_from(run.first, last)
            self.seek_sec += time.perf_counter() - started
            context = self._context
            packets = self._checked(packets, run) if self._predicted else packets
            may_skip = self._may_skip and index.timed and context.name in SKIPPABLE_CODECS
            codec, configuration = context.codec.canonical_name, context.extradata
            numbers, top_layer = MissingPictures(configuration) if codec == "h264" else None, 0
            if may_skip and codec == "hevc":
                packets, ahead = tee(packets)
                layers = (temporal_layer(codec, configuration, bytes(packet)) for _, packet in ahead)
                top_layer = max(layers, default=0)
            context.flush_buffers()
            for number, packet in packets:
                restarts = self._predicted and number == run.first != start
                if restarts and not stands_alone(codec, configuration, bytes(packet)):
                    raise _IndexMismatch(self.path, f"packet {number} is no key packet")
                packet.pts = frame_of[number - run.first]
                if numbers is not None and numbers.before(bytes(packet)):
                    raise VideoError(self.path, f"a picture that others refer to is missing before frame {packet.pts}")
                # Transport streams mark whole packets too, beside every joint.
                if packet.is_corrupt and self._container.format.name != "mpegts":
                    raise VideoError(self.path, f"damaged or cut off near frame {packet.pts}")
                skip = may_skip and packet.pts not in missing
                if skip and top_layer:
                    skip = temporal_layer(codec, configuration, bytes(packet)) == top_layer
                if skip != skips:
                    context.skip_frame, skips = "NONREF" if skip else "DEFAULT", skip
                for picture in context.decode(packet) + (context.decode(None) if number == last else []):
                    frame = picture.pts if index.timed else count
                    count += 1
                    self.frames_decoded += 1
                    if frame is None or frame < intact_from:
                        continue
                    if picture.is_corrupt:
                        raise VideoError(self.path, f"damaged at frame {frame}")
                    if frame in missing:
                        missing.remove(frame)
                        yield frame, picture
                if number == last or not missing:
                    break
        except av.FFmpegError as error:
            raise VideoError(self.path, f"damaged near frame {min(missing)} ({error.strerror})") from error
        if missing:
            raise VideoError(self.path, f"frame {min(missing)} cannot be decoded")

    def _packets_from(self, first: int, last: int) -> Iterator[tuple[int, Packet[VideoStream]]]:
        """The packets from number `first` to `last`, each with its number."""
        packets = self._after_seek(first)
        if packets is None:
            self.close()
            self._open()
            packets = islice(enumerate(self._container.demux(self._stream)), first, None)
        return islice(packets, last + 1 - first)

    def _checked(
        self, packets: Iterator[tuple[int, Packet[VideoStream]]], run: Run
    ) -> Iterator[tuple[int, Packet[VideoStream]]]:
        """The same packets, each found to be stored and shown as foretold; the times differ by a constant."""
        times, places = (
            column[run.first : run.last + 1].tolist() for column in (self._index.times, self._index.places)
        )
        shift: int | None = None
        for (number, packet), time_, place in zip(packets, times, places, strict=False):
            if packet.pts is None:
                raise _IndexMismatch(self.path, "a packet without a time of showing")
            shift = packet.pts - time_ if shift is None else shift
            if packet.pts != time_ + shift or packet.pos != place:
                raise _IndexMismatch(self.path, f"packet {number} is not what was foretold")
            yield number, packet

    def _after_seek(self, first: int) -> Iterator[tuple[int, Packet[VideoStream]]] | None:
        """The packets from number `first` on, numbered; None if seeking does not lead to it."""
        import av

        index, by_showing = self._index, self._container.format.name.startswith(SOUGHT_BY_SHOWING)
        for times in (index.times, index.seek_times) if by_showing else (index.seek_times,):
            try:
                self._container.seek(int(times[first]), stream=self._stream)
            except av.FFmpegError:  # some formats cannot seek at all
                return None
            packets = self._container.demux(self._stream)
            for packet in packets:  # of those before it, some demuxers leave out a few
                number = index.packet_at(packet.pos)
                if number == first:
                    return enumerate(chain([packet], packets), first)
                if number is not None and number > first:
                    break
        return None
