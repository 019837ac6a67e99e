"""What an experiment may say about files that lie in object storage or on a web server: group `storage/`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.folders import cache_dir

FIRST_WAIT_SEC, LONGEST_WAIT_SEC = 0.2, 8.0


@dataclass
class StorageConfig:
    """How files at URLs are read; credentials come from each cloud's own environment variables and files.

    python launch.py storage=default
    """

    endpoint: Optional[str] = setting(
        None,
        "address of an S3 store other than Amazon's, such as http://minio:9000; unset: $AWS_ENDPOINT_URL, else Amazon",
        affects_results=False,
    )
    region: Optional[str] = setting(
        None, "region of S3 buckets; unset: $AWS_REGION, else us-east-1", affects_results=False
    )
    anonymous: bool = setting(False, "send requests without a signature, as public buckets take", affects_results=False)
    timeout_sec: float = setting(
        15.0, "a request that has not ended is given up and sent again, in seconds", ge=0.01, le=3600,
        affects_results=False,
    )  # fmt: skip
    retries: int = setting(
        4, "requests sent again after one that failed for no fault of its file, each later than the last",
        ge=0, le=20, affects_results=False,
    )  # fmt: skip
    read_ahead_mb: int = setting(
        64, "memory of each worker for clips of an index that are asked for before they are read, in MB; 0: none are",
        ge=0, le=1_000_000, affects_results=False,
    )  # fmt: skip
    bytes_per_second: Optional[int] = setting(
        None, "most bytes that each process reads in a second, on average; unset: no limit", ge=65_536, le=10**12,
        affects_results=False,
    )  # fmt: skip

    def waits(self) -> Iterator[float]:
        """Most seconds that are waited before a request is sent again, for each time."""
        return (min(FIRST_WAIT_SEC * 2**again, LONGEST_WAIT_SEC) for again in range(self.retries))

    @property
    def longest_sec(self) -> float:
        """Most seconds until it is known whether an object can be read, or whether its store is at fault."""
        return self.timeout_sec * (self.retries + 2) + sum(self.waits())


@dataclass
class CachedStorageConfig(StorageConfig):
    """What is read of files at URLs is also kept on disk, for all workers and ranks of this machine.

    python launch.py storage=cached
    """

    cache_dir: Optional[str] = setting(
        None, "folder on a disk of this machine; unset: `ranges` in $VJEPA_PIPE_CACHE", path=True, affects_results=False
    )
    cache_gb: float = setting(
        50.0, "what the folder may hold, in GB; what was used least recently goes first", ge=0.001, le=1e6,
        affects_results=False,
    )  # fmt: skip

    @property
    def folder(self) -> Path:
        """Where ranges are kept.

        Raises:
            RuntimeError: There is no home folder, and no variable names another.
        """
        return Path(self.cache_dir).expanduser().absolute() if self.cache_dir else cache_dir() / "ranges"
