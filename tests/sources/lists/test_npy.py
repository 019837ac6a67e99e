"""Arrays of paths, with and without pickled objects."""

from __future__ import annotations

import gzip
import os
import pathlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vjepa_pipe.sources import SourceError, read_rows

PATHS = ["/a.mp4", "/b c/é.mp4", "/日本.mp4"]


def save(tmp_path: Path, array: Any) -> Path:
    np.save(tmp_path / "list.npy", array)
    return tmp_path / "list.npy"


@pytest.mark.parametrize(
    "array",
    [
        np.array(PATHS),
        np.array(PATHS, dtype=">U20"),
        np.array([path.encode() for path in PATHS]),
        np.array(PATHS, dtype=object),
        np.array([np.str_(path) for path in PATHS], dtype=object),
        np.array(list(np.array(PATHS, dtype=">U20")), dtype=object),
    ],
    ids=["U", "big-endian U", "S", "object", "object of numpy str", "object of big-endian str"],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_arrays_of_paths(tmp_path: Path, array: Any, zipped: bool) -> None:
    file = save(tmp_path, array)
    if zipped:
        packed = tmp_path / "list.npy.gz"
        packed.write_bytes(gzip.compress(file.read_bytes()))
        file = packed
    rows = read_rows(file)
    assert [rows.path(i) for i in range(len(rows))] == PATHS
    assert [rows.label(i) for i in range(len(rows))] == [0, 0, 0]
    assert rows.name == "list"


def test_object_array_as_old_numpy_wrote_it(tmp_path: Path) -> None:
    # numpy 1.x named its module numpy.core; the name is a short string in the pickle, length first.
    data = save(tmp_path, np.array(PATHS, dtype=object)).read_bytes()
    new, old = b"numpy._core.multiarray", b"numpy.core.multiarray"
    assert data.count(bytes([len(new)]) + new) == 1
    data = data.replace(bytes([len(new)]) + new, bytes([len(old)]) + old)
    # The frame around the pickle is one byte shorter now.
    start = data.index(b"\x80\x04\x95") + 3
    size = int.from_bytes(data[start : start + 8], "little") - 1
    (tmp_path / "list.npy").write_bytes(data[:start] + size.to_bytes(8, "little") + data[start + 8 :])
    rows = read_rows(tmp_path / "list.npy")
    assert [rows.path(i) for i in range(3)] == PATHS


class _Attack:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.file),)


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    file = save(tmp_path, np.array([_Attack(tmp_path / "harm")], dtype=object))
    with pytest.raises(SourceError, match=r"is not an array of paths: it holds posix\.mkdir; save it with np\.save\("):
        read_rows(file)
    assert not (tmp_path / "harm").exists()
    pickle.loads(pickle.dumps(_Attack(tmp_path / "harm")))
    assert (tmp_path / "harm").exists(), "the attack itself works, so it was the reader that stopped it"


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros(3), "it must hold text (got dtype float64)"),
        (np.array([PATHS]), "it must have one dimension (got shape (1, 3))"),
        (np.array("a"), "it must have one dimension (got shape ())"),
        (np.array(["a", 3], dtype=object), "item 1 is not text"),
        (np.array(["a", ""]), "item 1 is empty"),
        (np.array(["a", pathlib.PurePosixPath("b")], dtype=object), "it holds pathlib.PurePosixPath"),
        (np.array([b"\xff"]), "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_other_arrays(tmp_path: Path, array: Any, reason: str) -> None:
    file = save(tmp_path, array)
    with pytest.raises(SourceError) as caught:
        read_rows(file)
    how = "save it with np.save(file, np.array(paths, dtype=str))"
    assert str(caught.value) == f"{file}: is not an array of paths: {reason}; {how}"


def test_empty_array(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no rows"):
        read_rows(save(tmp_path, np.array([], dtype="U5")))


def test_damaged_files(tmp_path: Path) -> None:
    for array in (np.array(PATHS), np.array(PATHS, dtype=object)):
        whole = save(tmp_path, array).read_bytes()
        for size in (0, 5, 60, len(whole) - 5):
            (tmp_path / "cut.npy").write_bytes(whole[:size])
            with pytest.raises(SourceError, match=r"cut\.npy: is not an array of paths: "):
                read_rows(tmp_path / "cut.npy")
