"""Opening a file with PyAV, and saying plainly what is wrong when it is not a video."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.config.urls import is_remote, shown_path
from vjepa_pipe.files.regular_file import regular_file
from vjepa_pipe.video.errors import VideoError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from vjepa_pipe.storage import RemoteFile


# Formats that hold their own packets. Others are lists of files to open in turn (HLS, ffconcat), or devices.
FORMATS = (
    "apng,asf,av1,avi,dv,flv,gif,h261,h263,h264,hevc,ivf,m4v,matroska,webm,mjpeg,mov,mp4,mpeg,mpegts,mpegvideo,"
    "mxf,nut,obu,ogg,rm,vc1,wtv,yuv4mpegpipe"
)
OPEN_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}


def open_video(path: str, file: RemoteFile | None = None) -> tuple[InputContainer, VideoStream]:
    """Open a file with PyAV and find its main video stream; packets of other streams are not read.

    Args:
        path: The file.
        file: The same, if it lies at a URL.

    Raises:
        VideoError: If there is no such file, or no video in it that can be decoded.
    """
    import av
    from av.stream import Discard, Disposition

    try:
        if (regular_file(path).st_size if file is None else file.facts.size) == 0:
            raise VideoError(path, "empty file (0 bytes)")
        source = path if file is None else file.stream()
        container = av.open(source, metadata_errors="replace", container_options=OPEN_OPTIONS)
    except av.ArgumentError as error:
        raise VideoError(path, "not a video, damaged, or in a format that is not read, such as a playlist") from error
    except OSError as error:  # FFmpeg's own file errors are among them, and those of a store
        raise VideoError(path, f"cannot be opened ({error.strerror})") from error
    except av.FFmpegError as error:
        raise VideoError(path, f"not a video, or its header is damaged or cut off ({error.strerror})") from error
    stream = container.streams.best("video")
    for other in container.streams:
        other.discard = Discard.default if other is stream else Discard.all
    if not isinstance(stream, av.VideoStream) or stream.disposition & Disposition.attached_pic:
        found = ", ".join(sorted({other.type for other in container.streams})) or "none"
        fault = f"holds no video (streams: {found})"
    elif stream.codec_context is None:
        fault = "no decoder for its codec"
    elif not (stream.codec_context.width and stream.codec_context.height):
        fault = "its header gives no picture size"
    else:
        return container, stream
    container.close()
    raise VideoError(path, fault)


@contextmanager
def bytes_of(path: str, file: RemoteFile | None = None) -> Iterator[BinaryIO | io.RawIOBase]:
    """The bytes of a file, from its start; arguments as for `open_video`."""
    with Path(path).open("rb") if file is None else file.stream() as stream:
        yield stream


def refuse_urls(path: str, decoder: str) -> None:
    """Say that a decoder opens files by their names.

    Raises:
        UserError: If a path is a URL.
    """
    if is_remote(path):
        raise UserError(f"{decoder} reads files of this machine (got {shown_path(path)}); decoder=pyav reads URLs")
