"""The torch.distributed process group of a run, as torchrun or SLURM starts its ranks."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vjepa_pipe.config.errors import UserError
from vjepa_pipe.sampling import rank_and_world

PORTS = range(15_000, 35_000)
"""Where ranks of a SLURM job meet: the job's number chooses one."""


@contextmanager
def process_group(backend: str | None, asked_by: str = "torch.distributed") -> Iterator[None]:
    """Within this context there is a torch.distributed process group, if a backend is named.

    One that exists already is used as it is.

    Args:
        backend: `gloo` or `nccl`; None: nothing is done.
        asked_by: What chose the backend, for messages.

    Raises:
        UserError: If it cannot be started.
    """
    if backend is None or torch.distributed.is_initialized():
        yield
        return
    rank, world_size = rank_and_world()
    if world_size > 1:
        _meet_in_slurm()
    with tempfile.TemporaryDirectory() as folder:
        where = f"file://{folder}/group" if world_size == 1 else "env://"
        try:
            torch.distributed.init_process_group(backend, where, rank=rank, world_size=world_size)
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{asked_by}={backend} cannot be started: {error}") from error
        try:
            yield
        finally:
            torch.distributed.destroy_process_group()


def _meet_in_slurm() -> None:
    """Name the place where ranks meet, which torchrun names and SLURM does not: the first node of the step."""
    nodes = os.environ.get("SLURM_STEP_NODELIST", os.environ.get("SLURM_JOB_NODELIST", ""))
    first = re.match(r"([^\[,]+)(?:\[(\w+))?", nodes)  # node-[01-04,07] or one name after the other
    if first is not None and "RANK" not in os.environ:
        job = int(os.environ.get("SLURM_JOB_ID", "0"))
        os.environ.setdefault("MASTER_ADDR", first[1] + (first[2] or ""))
        os.environ.setdefault("MASTER_PORT", str(PORTS[job % len(PORTS)]))


def local_device() -> torch.device:
    """The GPU of this rank on its machine, as LOCAL_RANK (torchrun) or SLURM_LOCALID numbers it; else the CPU.

    Where each rank sees one GPU only, that is its own.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    number = int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")))
    device = torch.device("cuda", number % torch.cuda.device_count())
    torch.cuda.set_device(device)  # where NCCL and checkpoints work
    return device
