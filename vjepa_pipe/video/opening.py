"""Opening a file with PyAV, and saying plainly what is wrong when it is not a video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vjepa_pipe.files.regular_file import regular_file
from vjepa_pipe.video.errors import VideoError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream


# Formats that hold their own packets. Others are lists of files to open in turn (HLS, ffconcat), or devices.
FORMATS = (
    "apng,asf,av1,avi,dv,flv,gif,h261,h263,h264,hevc,ivf,m4v,matroska,webm,mjpeg,mov,mp4,mpeg,mpegts,mpegvideo,"
    "mxf,nut,obu,ogg,rm,vc1,wtv,yuv4mpegpipe"
)
OPEN_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}


def open_video(path: str) -> tuple[InputContainer, VideoStream]:
    """Open a file with PyAV and find its main video stream; packets of other streams are not read.

    Raises:
        VideoError: If there is no such file, or no video in it that can be decoded.
    """
    import av
    from av.stream import Discard, Disposition

    try:
        if regular_file(path).st_size == 0:
            raise VideoError(path, "empty file (0 bytes)")
        container = av.open(path, metadata_errors="replace", container_options=OPEN_OPTIONS)
    except av.ArgumentError as error:
        raise VideoError(path, "not a video, damaged, or in a format that is not read, such as a playlist") from error
    except OSError as error:  # FFmpeg's own file errors are among them
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
