"""`.npy` files: arrays of paths, as the published loader takes them."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator
from typing import IO, Any, ClassVar

import numpy as np

from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.tables.columns import Table, text_column
from vjepa_pipe.sources.tables.text import ListFile, open_file

_HOW = "save it with np.save(file, np.array(paths, dtype=str))"
_SLICE = 1 << 16


class _Dtype:
    """Stands in for `numpy.dtype`."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = code
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


class _Array:
    """Stands in for an array of objects."""

    def __init__(self, *_: object) -> None:
        self.shape: tuple[int, ...] = ()
        self.items: list[Any] = []

    def __setstate__(self, state: Any) -> None:
        _, self.shape, _, _, self.items = state


def _text(dtype: _Dtype, data: bytes) -> str:
    """A numpy scalar of text, which numpy keeps as UTF-32."""
    if dtype.code[:1] != "U":
        raise pickle.UnpicklingError(f"it holds a scalar of dtype {dtype.code}")
    return data.decode("utf-32-be" if dtype.order == ">" else "utf-32-le").rstrip("\0")


class _TextUnpickler(pickle.Unpickler):
    """Unpickles arrays of str without importing anything, not even numpy.

    What numpy writes around the texts is given to stand-ins, since a damaged array that is built by
    numpy itself can bring the process down.
    """

    _STAND_INS: ClassVar[dict[str, Any]] = {
        "numpy.ndarray": _Array,
        "numpy.dtype": _Dtype,
        "numpy.core.multiarray._reconstruct": _Array,
        "numpy._core.multiarray._reconstruct": _Array,
        "numpy.core.multiarray.scalar": _text,
        "numpy._core.multiarray.scalar": _text,
    }

    def find_class(self, module: str, name: str) -> Any:
        wanted = f"{module}.{name}"
        if wanted not in self._STAND_INS:
            raise pickle.UnpicklingError(f"it holds {wanted}")
        return self._STAND_INS[wanted]


def read_path_array(path: ListFile) -> Table:
    """Read a one-dimensional array of paths; every label is 0, as in vjepa2 `video_dataset.py`.

    Object arrays are unpickled without the power to run code: they may hold str and nothing else.

    Raises:
        SourceError: The file is no such array.
    """
    with open_file(path) as stream:
        try:
            paths = text_column(_texts(_slices(stream)))
        except (OSError, zlib.error):
            raise  # `open_file` says what these are
        except Exception as error:
            # numpy's header parser and pickle end a damaged file in whatever their insides raise.
            reason = " ".join(str(error).split())  # numpy's reasons may span lines
            raise SourceError(path, f"is not an array of paths: {reason}; {_HOW}") from error
    return Table(paths, np.zeros(len(paths), np.int64))


def _slices(stream: IO[bytes]) -> Iterator[list[Any]]:
    """The items, some at a time: as Python objects the whole array would be several times its size."""
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    if len(shape) != 1:
        raise ValueError(f"it must have one dimension (got shape {shape})")
    if dtype.hasobject:
        array = _TextUnpickler(stream).load()
        if not isinstance(array, _Array) or array.shape != shape or len(array.items) != shape[0]:
            raise ValueError("its contents are not what its header says")
        yield array.items
        return
    if dtype.kind not in "US":
        raise ValueError(f"it must hold text (got dtype {dtype})")
    for start in range(0, shape[0], _SLICE):
        size = min(_SLICE, shape[0] - start) * dtype.itemsize
        data = stream.read(size)
        if len(data) < size:
            raise ValueError(f"it is cut short after item {start + len(data) // dtype.itemsize}")
        yield np.frombuffer(data, dtype).tolist()


def _texts(slices: Iterator[list[Any]]) -> Iterator[str]:
    for index, item in enumerate(item for part in slices for item in part):
        if not isinstance(item, str | bytes):
            raise ValueError(f"item {index} is not text")
        text = item if isinstance(item, str) else item.decode("utf-8")
        if not text:
            raise ValueError(f"item {index} is empty")
        yield text
