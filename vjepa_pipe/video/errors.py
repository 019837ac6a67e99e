"""What goes wrong when a video is read, and when clips are chosen from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vjepa_pipe.config.errors import SampleError, UserError
from vjepa_pipe.storage import ObjectError


class VideoError(SampleError, RuntimeError):
    """A video file that cannot give the frames asked of it.

    Every reader raises this one error for everything that is wrong with a file, whatever library found it, so a
    loader can tell a bad file from a bad program. It survives pickling, on its way from a worker process.

    Attributes:
        path: The file.
        reason: What is wrong with it, on one line.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class ClipError(SampleError, ValueError):
    """Clips that cannot be chosen from a video of this length and rate."""


class ClipTooShort(ClipError):
    """A video shorter than its clip, where short videos are to be dropped."""


@contextmanager
def as_video_error(path: str) -> Iterator[None]:
    """Whatever a damaged file brings out of a library, or of our arithmetic, leaves as a `VideoError`.

    So does a lack of memory: a forged size asks for more than any machine has.
    """
    try:
        yield
    except UserError:
        raise
    except ObjectError as error:
        raise VideoError(path, error.reason) from None
    except MemoryError as error:
        raise VideoError(path, "needs more memory than there is") from error
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise VideoError(path, f"damaged, or written in an unknown way ({type(error).__name__}: {said})") from error
