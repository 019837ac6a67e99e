"""Checkpoints of a training: tensors by torch.distributed.checkpoint, everything else as JSON beside them.

    checkpoints/
        latest              the name of the newest whole one
        step_000000500/     appears when it is whole
            .metadata, __0_0.distcp, ...    tensors by name; ranks write their shares, any number of ranks reads them
            state.json      step, threads, the loader's place

Nothing in a checkpoint is code: of the pickle in which torch keeps `.metadata`, only its own plain classes are taken.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta
from torch.distributed.checkpoint.state_dict_loader import load as dcp_load
from torch.distributed.checkpoint.state_dict_saver import save as dcp_save

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.files.regular_file import open_regular
from vjepa_pipe.files.whole_file import make_folder, write_whole
from vjepa_pipe.models.weights import first_line
from vjepa_pipe.records.files import inside, write_json
from vjepa_pipe.tasks.stopping import NEWEST, STATE

CHECKPOINTS, LATEST = NEWEST.split("/")
_NAME = re.compile(r"step_(\d{9,})")
SHOWN = 3
"""Names of weights that a message lists."""


class Checkpoints:
    """The checkpoints of one run. Every rank makes this object and calls `save` at the same steps.

    Args:
        output_dir: The run's folder.
        keep: The newest ones kept.
        kept: Whether the one of a step is kept beside them.
    """

    def __init__(self, output_dir: Path, keep: int, kept: Callable[[int], bool]) -> None:
        self.folder, self.kept = output_dir / CHECKPOINTS, kept
        self._keep = keep
        self._writes = not _distributed() or torch.distributed.get_rank() == 0
        self._saved: int | None = None

    def save(self, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Write a checkpoint, unless that of this step was written last.

        Args:
            step: Steps done.
            tensors: All weights and states of the optimizer.
            state: Everything else, as JSON takes it.

        Raises:
            UserError: If it cannot be written; earlier ones stay as they were.
        """
        if step == self._saved:
            return
        final = self.folder / f"step_{step:09d}"
        draft = self.folder / f".{final.name}"
        with _faults(f"cannot write the checkpoint {final}"):
            if self._writes:
                make_folder(self.folder)
                for left in self.folder.glob(".step_*"):  # of a run that was killed while it saved
                    shutil.rmtree(left)
                make_folder(draft)
            _barrier()
            with _alone_is_fine():
                dcp_save(dict(tensors), checkpoint_id=str(draft))
            if self._writes:
                write_json(draft / STATE, dict(state))
                shutil.rmtree(final, ignore_errors=True)
                draft.replace(final)
                _sync(self.folder)
                write_whole(self.folder / LATEST, f"{final.name}\n")
                self._remove_old(step)
            _barrier()
        self._saved = step

    def _remove_old(self, newest: int) -> None:
        """Later ones, of an attempt that went further, stay until they are written over."""
        found = (_NAME.fullmatch(one.name) for one in self.folder.iterdir())
        steps = sorted(step for one in found if one and (step := int(one[1])) <= newest)
        for step in steps[: -self._keep]:
            if not self.kept(step):
                shutil.rmtree(self.folder / f"step_{step:09d}")


def kept_epochs(save_every_freq: int, iterations_per_epoch: int) -> Callable[[int], bool]:
    """Whether the checkpoint of a step is kept: that of the end of epoch 0, and of each `save_every_freq` after it.

    Args:
        save_every_freq: In epochs; below 1, none is (vjepa2 `app/vjepa/train.py`).
        iterations_per_epoch: Steps of an epoch.
    """

    def kept(step: int) -> bool:
        epochs, rest = divmod(step, iterations_per_epoch)
        return save_every_freq > 0 and not rest and (epochs - 1) % save_every_freq == 0

    return kept


def find_checkpoint(path: str | Path) -> Path:
    """The checkpoint that `path` is, or the newest one of the run whose folder it is.

    Raises:
        UserError: If there is none.
    """
    path = Path(path)
    if (path / ".metadata").is_file():
        return path
    for folder in (path, path / CHECKPOINTS):
        latest = folder / LATEST
        if latest.is_file():
            with latest.open(errors="replace") as stream:
                return inside(folder, stream.read(100).strip())
    raise UserError(f"{path} holds no checkpoint of task=train: neither {CHECKPOINTS}/{LATEST} nor .metadata")


def load_tensors(checkpoint: Path, tensors: Mapping[str, Tensor]) -> None:
    """Fill tensors, in place and by name, with those of a checkpoint.

    Args:
        checkpoint: Its folder.
        tensors: All that it must hold; sharded ones get their share.

    Raises:
        UserError: If it is damaged, or of another architecture, naming tensors that are missing, not known or of
            another shape.
    """
    reader = _PlainReader(str(checkpoint))
    with _faults(f"the checkpoint {checkpoint} is damaged"):
        saved = {name: _shape(one) for name, one in reader.read_metadata().state_dict_metadata.items()}
    here = {name: list(tensor.shape) for name, tensor in tensors.items()}
    if faults := list(_differences(saved, here)):
        raise UserError(f"the checkpoint {checkpoint} does not fit this experiment's model: {'; '.join(faults)}")
    with _faults(f"the checkpoint {checkpoint} is damaged"), _alone_is_fine(), torch.no_grad():
        dcp_load(dict(tensors), storage_reader=reader)


def _differences(saved: Mapping[str, list[int]], here: Mapping[str, list[int]]) -> Iterator[str]:
    """What is missing, not known, and of another shape, with some of the names."""
    faults = {
        "missing": sorted(here.keys() - saved.keys()),
        "not known": sorted(saved.keys() - here.keys()),
        "of another shape": [
            f"{name} {saved[name]} instead of {here[name]}"
            for name in sorted(here.keys() & saved.keys())
            if saved[name] != here[name]
        ],
    }
    for fault, names in faults.items():
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield f"{fault}: {', '.join(names[:SHOWN])}{more}"


def _shape(saved: Any) -> list[int]:
    return list(getattr(saved, "size", ()))


class _PlainReader(FileSystemReader):
    """Reads what torch writes, and imports nothing that a file names."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:  # noqa: ARG002 (as torch calls it)
        with open_regular(Path(self.path, ".metadata")) as stream:
            metadata = _Unpickler(stream).load()
        for info in metadata.storage_data.values():
            inside(Path(self.path), info.relative_path)
        metadata.storage_meta = metadata.storage_meta or StorageMeta()
        return metadata  # type: ignore[no-any-return]


class _Unpickler(pickle.Unpickler):
    """Takes the classes of torch.distributed.checkpoint's own metadata, and of those nothing that does something."""

    _TAKEN = frozenset({
        *(f"torch.distributed.checkpoint.metadata.{name}" for name in (
            "Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "ChunkStorageMetadata", "TensorProperties",
            "MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING",
        )),
        "torch.distributed.checkpoint.filesystem._StorageInfo",
        "torch.serialization._get_layout",
        "torch.Size", "torch.float64", "torch.float32", "torch.float16", "torch.bfloat16", "torch.int64", "torch.uint8",
        "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib._local.PosixPath", "pathlib._local.WindowsPath",
    })  # fmt: skip

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self._TAKEN:
            raise pickle.UnpicklingError(f".metadata names {module}.{name}, which is no part of a checkpoint")
        return super().find_class(module, name)


@contextmanager
def _faults(what: str) -> Iterator[None]:
    """What goes wrong with files is one message."""
    try:
        yield
    except CheckpointException as error:  # not an Exception; it wraps what happened on each rank
        causes = [cause for cause, _ in error.failures.values()]
        raise UserError(f"{what}: {_said(causes[0] if causes else error)}") from error
    except UserError:
        raise
    except Exception as error:  # a damaged pickle leads to any
        raise UserError(f"{what}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    """What an error says, or the error of a file that led to it: behind that of a full disk torch raises others."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if cause is None or not cause.strerror:
        return first_line(error)
    return f"{Path(cause.filename).name}: {cause.strerror}" if cause.filename else cause.strerror


@contextmanager
def _alone_is_fine() -> Iterator[None]:
    """Without a process group torch warns that it works in one process, which is what is meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        yield


def _distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _barrier() -> None:
    if _distributed():
        torch.distributed.barrier()


def _sync(folder: Path) -> None:
    """The renamed folder is on the disk before `latest` names it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
