"""What an experiment may say about decoding and loading: groups `decoder/` and `loader/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from vjepa_pipe.config.fields import setting

START_METHODS = ("fork", "spawn", "forkserver")
BAD_SAMPLE_POLICIES = ("replace", "raise", "skip", "zero_masked")
ON_CHANGE = ("refuse", "continue")
SEEK_MODES = ("exact", "approximate")
OUTPUTS = ("float32", "uint8")


@dataclass
class DecoderConfig:
    """How frames are read from a video file."""

    threads: int = setting(
        1,
        "decoding threads of each open video; workers already decode in parallel",
        ge=1,
        le=1024,
        affects_results=False,
    )
    extra_args: dict[str, Any] = setting({}, "further keyword arguments, for a `_target_` of your own")
    _target_: str = setting("vjepa_pipe.video.PyavDecoder", "what opens a video")


@dataclass
class TorchcodecConfig(DecoderConfig):
    """torchcodec (extra): fastest on files of key frames only; with its own ways to find a frame.

    python launch.py decoder=torchcodec
    """

    seek_mode: str = setting(
        "exact",
        "exact finds frames by their times; approximate by the header's rate, right only where that is constant",
        choices=SEEK_MODES,
    )
    short_side: Optional[int] = setting(
        None,
        "shrink larger pictures to this short side, in pixels, while they are decoded: faster crops of other pixels "
        "than the published ones",
        ge=16,
        le=8192,
    )
    _target_: str = setting("vjepa_pipe.video.TorchcodecDecoder", "what opens a video")


@dataclass
class SamplerConfig:
    """Which sample comes when."""

    extra_args: dict[str, Any] = setting({}, "further keyword arguments, for a `_target_` of your own")
    _target_: str = setting("vjepa_pipe.sampling.SampleOrder", "what orders the samples")


@dataclass
class MonitorConfig:
    """Per-worker resource log: CPU, memory and input/output, as CSV files."""

    enabled: bool = setting(False, "write the log", affects_results=False)
    interval_sec: float = setting(5.0, "seconds between rows", gt=0, le=1e6, affects_results=False)


@dataclass
class LoaderConfig:
    """How samples become batches; for training: whole batches only, bad files replaced.

    python launch.py loader=default
    """

    drop_last: bool = setting(True, "leave the last, smaller batch of an epoch for the next epoch; eval keeps it")
    samples_per_epoch: Optional[int] = setting(
        None, "epoch length in clips over all ranks; unset: the number of rows", ge=1, le=10**15
    )
    iterations_per_epoch: Optional[int] = setting(None, "epoch length in batches per rank", ge=1, le=10**12)
    prefetch_factor: int = setting(2, "batches each worker prepares ahead", ge=1, le=1024, affects_results=False)
    persistent_workers: bool = setting(True, "keep the workers from one epoch to the next", affects_results=False)
    pin_memory: bool = setting(
        False,
        "batches in page-locked memory, for faster copies to a GPU; without one it does nothing",
        affects_results=False,
    )
    start_method: Optional[str] = setting(
        None, "how workers start; unset: the platform's way", choices=START_METHODS, affects_results=False
    )
    output: str = setting(
        "float32",
        "float32 gives normalised clips; uint8 gives bytes, a quarter of the memory, to normalise on the device",
        choices=OUTPUTS,
    )
    on_bad_sample: str = setting(
        "replace",
        "a sample that cannot be read is replaced by another of its source, raised, left out of its batch (skip), or "
        "(captioned video) zeros without a real frame (zero_masked)",
        choices=BAD_SAMPLE_POLICIES,
    )
    max_replacements: int = setting(10, "samples tried in place of a bad one before giving up", ge=1, le=100_000)
    max_failure_rate: float = setting(
        0.05, "stop when more than this share of a source's rows, of at least 200 opened, cannot be read", ge=0, le=1
    )
    quarantine: Optional[str] = setting(
        None, "a quarantine.jsonl, or a run's folder: its rows count as bad without being opened", path=True
    )
    sample_timeout_sec: float = setting(
        120.0, "a worker that reads one sample for longer is killed and replaced, in seconds", gt=0, le=1e6
    )
    max_restarts: int = setting(16, "dead workers replaced in an epoch before the run stops", ge=0, le=10**6)
    on_change: str = setting(
        "refuse",
        "a saved state of other data, weights or settings is refused, or taken for its position (continue)",
        choices=ON_CHANGE,
        affects_results=False,
    )
    sampler: SamplerConfig = setting(SamplerConfig(), "which sample comes when")
    monitor: MonitorConfig = setting(MonitorConfig(), "resource log of the workers")
