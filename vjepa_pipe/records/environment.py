"""What a run was made of, beside its experiment: code, versions, machine, data."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from vjepa_pipe.composition.plugins import plugin_versions
from vjepa_pipe.config.folders import PACKAGE
from vjepa_pipe.config.storage import StorageConfig
from vjepa_pipe.config.urls import is_remote, shown_path
from vjepa_pipe.files.regular_file import open_regular

PACKAGES = (
    "vjepa_pipe", "torch", "torchvision", "hydra-core", "omegaconf", "numpy", "av", "decord", "decord2", "torchcodec",
)  # fmt: skip
WHOLE_FILE_BYTES = 64 * 2**20
MAX_DIFF_BYTES = 10 * 2**20


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of Python, of every package that can change a batch, as far as it is installed, and of plugins."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found | {f"plugin {name}": version for name, version in plugin_versions().items()}


@lru_cache(maxsize=1)
def host() -> dict[str, Any]:
    """The machine."""
    return {
        "name": socket.gethostname(),
        "platform": platform.platform(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }


def code() -> tuple[dict[str, Any], str]:
    """The git state of the package's checkout and of the working folder.

    Returns:
        By name of the repository: its path, commit, branch, files that are changed or untracked. And
        the uncommitted changes of all of them, as one diff.
    """
    repositories: dict[str, Any] = {}
    diffs: list[str] = []
    for folder in (PACKAGE, Path.cwd()):
        root = _git(folder, "rev-parse", "--show-toplevel")
        if root is None or any(known["path"] == root for known in repositories.values()):
            continue
        changed = (_git(Path(root), "status", "--porcelain") or "").splitlines()
        repositories[Path(root).name if Path(root).name not in repositories else root] = {
            "path": root,
            "commit": _git(folder, "rev-parse", "HEAD"),
            "branch": _git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
            "uncommitted": [line[3:] for line in changed],
        }
        diff = _git(Path(root), "diff", "HEAD") if changed else None
        if diff:
            whole = len(diff) <= MAX_DIFF_BYTES
            diffs.append(diff + "\n" if whole else f"# {root}: the changes are {len(diff)} bytes, too long to keep\n")
    return repositories, "".join(diffs)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None without git, outside a repository, or before the first commit."""
    try:
        result = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.rstrip("\n") if result.returncode == 0 else None


def data_fingerprint(paths: list[str], storage: StorageConfig | None = None) -> dict[str, Any]:
    """What tells one state of the data files from another: size, time and content of each annotation file.

    Files above 64 MB are known by their first and last 32 MB; folders by the names in them; those at URLs by their
    ETag.

    Args:
        paths: Files, folders and URLs.
        storage: How what lies at a URL is read; None: with the default settings.
    """
    return {
        shown_path(path): _remote(storage or StorageConfig(), path) if is_remote(path) else _fingerprint(Path(path))
        for path in paths
    }


def _remote(storage: StorageConfig, url: str) -> dict[str, Any]:
    from vjepa_pipe.storage import NotAnObject, ObjectError, Storage, StorageError  # only who has URLs waits for it

    try:
        facts = Storage(storage).open(url).facts  # signed URLs are for GET alone
    except NotAnObject:  # its content is that of many objects
        return {"folder": True}
    except (ObjectError, StorageError) as error:  # the run will say so itself
        return {"error": str(error)}
    return {"bytes": facts.size, "version": facts.version}


def _fingerprint(path: Path) -> dict[str, Any]:
    try:
        status = path.stat()
        if path.is_dir():
            content = "\n".join(sorted(entry.name for entry in path.iterdir())).encode()
        else:
            content = _ends(path, status.st_size)
    except OSError as error:
        return {"error": error.strerror}
    return {"bytes": status.st_size, "modified": status.st_mtime, "sha256": hashlib.sha256(content).hexdigest()}


def _ends(path: Path, size: int) -> bytes:
    with open_regular(path) as stream:
        if size <= WHOLE_FILE_BYTES:
            return stream.read()
        head = stream.read(WHOLE_FILE_BYTES // 2)
        stream.seek(-WHOLE_FILE_BYTES // 2, os.SEEK_END)
        return head + stream.read()
