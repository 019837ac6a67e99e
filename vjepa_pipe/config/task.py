"""What launch.py does with an experiment: group `task/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from vjepa_pipe.config.fields import setting

MOST_CLASSES = 10**6


@dataclass
class TaskConfig:
    """A task: `_target_` is called with the experiment and the output folder."""

    _target_: str = setting("vjepa_pipe.tasks.stream.stream", "what runs")


@dataclass
class StreamTaskConfig(TaskConfig):
    """Stream batches, count them, and leave a summary and a picture.

    python launch.py task=stream task.max_batches=20
    """

    max_batches: Optional[int] = setting(
        None, "stop after this many batches of each epoch; unset: whole epochs", ge=1, le=10**12
    )
    epochs: int = setting(1, "epochs to stream", ge=1, le=10**6)
    save_every_batches: Optional[int] = setting(
        None,
        "write state.json this often; unset: only when the run ends, stops or is sent SIGTERM",
        ge=1,
        le=10**12,
        affects_results=False,
    )
    resume: Optional[str] = setting(
        None, "go on where this run's folder, or state.json, says it stopped", path=True, affects_results=False
    )
    preview_clips: int = setting(4, "clips drawn in preview.png; 0 draws none", ge=0, le=1000, affects_results=False)
    progress: bool = setting(True, "show a progress bar", affects_results=False)


@dataclass
class ValidateTaskConfig(TaskConfig):
    """Check that your data gives right clips, right tensors and a right order.

    python launch.py task=validate data=csv 'data.data_paths=[a.csv]'
    """

    samples: int = setting(4, "videos read in each clip mode", ge=1, le=10**6)
    full: bool = setting(
        False, "also read a clip of every row, with data.num_workers processes, and list the rows that cannot be read"
    )
    _target_: str = setting("vjepa_pipe.tasks.validate.validate", "what runs")


PRECISIONS = ("float32", "bfloat16")


@dataclass
class ProbeTaskConfig(TaskConfig):
    """Train probes on a frozen encoder, and measure how well they tell the classes of other videos apart."""

    epochs: int = setting(20, "epochs that the attentive probe is trained", ge=1, le=10**6)
    blocks: int = setting(1, "layers of the attentive probe", ge=1, le=256)
    heads: int = setting(16, "attention heads of the attentive probe; a divisor of the encoder's width", ge=1, le=1024)
    learning_rates: list[float] = setting(
        [0.01, 0.003, 0.001], "at each a probe is trained; the best is reported", gt=0, le=100, not_empty=True
    )
    weight_decays: list[float] = setting(
        [0.01], "at each, with each learning rate, a probe is trained", ge=0, le=100, not_empty=True
    )
    num_classes: Optional[int] = setting(
        None, "classes; unset: up to the largest label of the training rows", ge=2, le=MOST_CLASSES
    )
    random_encoders: int = setting(
        2, "encoders with random weights that are probed beside it, for comparison; each takes as long", ge=0, le=100
    )
    threads: Optional[int] = setting(
        1,
        "threads that torch computes with on a CPU, whose number changes last digits; unset: one for each core",
        ge=1,
        le=1024,
    )
    precision: str = setting("float32", "arithmetic of encoder and probes (autocast)", choices=PRECISIONS)
    progress: bool = setting(True, "show a progress bar", affects_results=False)
    _target_: str = setting("vjepa_pipe.tasks.probe.probe", "what runs")


PROCESS_GROUPS = ("gloo", "nccl")


@dataclass
class ExternalTaskConfig(TaskConfig):
    """Call a trainer of yours, with the settings that the published one reads or with its own.

    `entry` and `path` count only when they are named on the command line: a file that someone else
    wrote must not choose what code runs.

    python launch.py experiment=vjepa2_vitl16_256px_16f task=external task.entry=app.vjepa.train:main task.path=CHECKOUT
    """

    entry: str = setting("", "what is called, as module:function, such as app.vjepa.train:main", typed_only=True)
    path: Optional[str] = setting(None, "folder of the checkout that holds it", path=True, typed_only=True)
    args: dict[str, Any] = setting({}, "handed to it as keywords; with training=none they are all that it gets")
    init_process_group: Optional[str] = setting(
        None,
        "backend of a torch.distributed process group started around it, for trainers that expect one; with the "
        "ranks of torchrun or SLURM, else one",
        choices=PROCESS_GROUPS,
    )
    _target_: str = setting("vjepa_pipe.tasks.external.external", "what runs")


@dataclass
class StatisticsTaskConfig(TaskConfig):
    """Mean, spread and range of the robot states and actions that are drawn, kept for `robotics.normalization`.

    python launch.py task=statistics data=synthetic_robot robotics=droid data_aug=robotics
    """

    clips_per_episode: int = setting(4, "clips drawn from each episode", ge=1, le=10**6)
    max_episodes: Optional[int] = setting(
        None, "stop after this many episodes, spread evenly; unset: all", ge=1, le=10**9
    )
    _target_: str = setting("vjepa_pipe.tasks.statistics.statistics", "what runs")


@dataclass
class BenchmarkTaskConfig(TaskConfig):
    """Time every stage between a file and a batch, and say what to change first.

    python launch.py task=benchmark task.tune=true
    """

    clips: int = setting(16, "clips timed of each source", ge=1, le=10**6)
    batches: int = setting(12, "batches timed through the loader", ge=1, le=10**6)
    tune: bool = setting(False, "also look for a good data.num_workers and loader.prefetch_factor, in under a minute")
    _target_: str = setting("vjepa_pipe.tasks.benchmark.benchmark", "what runs")


@dataclass
class ShardedTaskConfig(TaskConfig):
    """A task that works through all files, on one machine or many; runs that were cut short go on."""

    workers: int = setting(2, "files worked on at a time, each in a process that can be killed", ge=1, le=1024)
    timeout_sec: float = setting(60.0, "seconds after which a file counts as bad", gt=0, le=1e6)
    shard: int = setting(0, "which part of the rows this run works on, from 0", ge=0, le=10**6)
    shards: int = setting(1, "parts that the rows are cut into, one per machine", ge=1, le=10**6)


@dataclass
class IndexTaskConfig(ShardedTaskConfig):
    """Probe every file once: length, rate, size, key frames, or what is wrong with it.

    Interrupted runs go on where they stopped.

    python launch.py task=index task.index_dir=index
    """

    index_dir: Optional[str] = setting(None, "where the indexes are kept; unset: the output folder", path=True)
    _target_: str = setting("vjepa_pipe.tasks.index.index", "what runs")


@dataclass
class PrepareTaskConfig(ShardedTaskConfig):
    """Encode copies of the videos that are cheap to read at random places, and write an option that reads them.

    It says first how large the copies will be and how long they take. Interrupted runs go on where they stopped.

    python launch.py task=prepare task.target_dir=copies
    """

    target_dir: Optional[str] = setting(
        None, "where the copies go; the originals stay; unset: the output folder", path=True
    )
    option: str = setting("prepared", "name of the option of group data that reads the copies", not_empty=True)
    dry_run: bool = setting(False, "stop after the sample: say how large copies will be, how long they take and save")
    codec: str = setting(
        "mjpeg",
        "`mjpeg` makes every frame a JPEG, which is read fastest; `h264` takes less space",
        choices=("mjpeg", "h264"),
    )
    short_side: int = setting(320, "pixels of the short side; smaller videos keep their size", ge=16, le=8192)
    group_length: int = setting(
        4, "h264: frames from one key frame to the next; 1 makes every frame one", ge=1, le=10_000
    )
    crf: int = setting(20, "h264: quality; 0 is lossless, 51 worst", ge=0, le=51)
    qscale: int = setting(4, "mjpeg: quality; 1 is best, 31 worst", ge=1, le=31)
    preset: str = setting("veryfast", "h264: x264 preset", choices=("ultrafast", "veryfast", "fast", "medium", "slow"))
    timeout_sec: float = setting(3600.0, "seconds after which a file counts as bad", gt=0, le=1e6)
    _target_: str = setting("vjepa_pipe.tasks.prepare.prepare", "what runs")
