"""`.npy` files: arrays of paths, as the published loader takes them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from vjepa_pipe.sources.columns import Table, table_from_arrays, text_column
from vjepa_pipe.sources.errors import SourceError
from vjepa_pipe.sources.text_file import open_file

_HOW = "save it with np.save(file, np.array(paths, dtype=str))"
_SLICE = 1 << 16

# What numpy itself writes around the texts of an object array; nothing here runs code of the file.
_HARMLESS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
}

# Whatever a damaged header or pickle can end in; SourceError from the file itself is none of these.
_BROKEN = (ValueError, IndexError, KeyError, TypeError, AttributeError, pickle.UnpicklingError)


class _TextUnpickler(pickle.Unpickler):
    """Unpickles arrays of str, and refuses to import anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it holds {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_path_array(path: Path) -> Table:
    """Read a one-dimensional array of paths; every label is 0, as in vjepa2 `video_dataset.py`.

    Object arrays are unpickled without the power to run code: they may hold str and nothing else.

    Raises:
        SourceError: The file is no such array.
    """
    with open_file(path) as stream:
        try:
            paths = text_column(_texts(_slices(stream)))
        except _BROKEN as error:
            raise SourceError(path, f"is not an array of paths: {error}; {_HOW}") from error
    return table_from_arrays(Table(paths, np.zeros(len(paths), np.int64)).arrays())


def _slices(stream: IO[bytes]) -> Iterator[list[Any]]:
    """The items, some at a time: as Python objects the whole array would be several times its size."""
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    if len(shape) != 1:
        raise ValueError(f"it must have one dimension (got shape {shape})")
    if dtype.hasobject:
        array = _TextUnpickler(stream).load()
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise ValueError("its contents are not what its header says")
        yield array.tolist()
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
            raise ValueError(f"item {index} is a {type(item).__name__}")
        text = item if isinstance(item, str) else item.decode("utf-8")
        if not text:
            raise ValueError(f"item {index} is empty")
        yield text
