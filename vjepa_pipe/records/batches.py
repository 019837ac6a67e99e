"""Any batch of any run, read again: samples are pure functions of their keys, so nothing need be replayed.

The run's record says which batch of which epoch a step was, on how many ranks (`steps.jsonl`), of which experiment
(`resolved_config.yaml`), and which rows its ranks had found bad by then (`quarantine.jsonl`).
"""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vjepa_pipe.composition.snapshot import thaw
from vjepa_pipe.config.captioned import CaptionedDataConfig
from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.data_files import unset_variables
from vjepa_pipe.config.errors import UserError, counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.fields import bounds_of
from vjepa_pipe.config.folders import RESOLVED_CONFIG, STEPS
from vjepa_pipe.config.image import ImageStreamConfig
from vjepa_pipe.datasets import BadSample, KeyedDataset, MixedDataset, TooManyBadSamples, VideoDataset
from vjepa_pipe.datasets.bad import KNOWN_BAD
from vjepa_pipe.loader import ClipLoader, DataManager
from vjepa_pipe.loader.blame import ENDED_WORKER
from vjepa_pipe.loader.fetch import Delivery, FetchBatch, one_thread
from vjepa_pipe.loader.quarantine import found_bad, quarantine_name
from vjepa_pipe.loader.sampler import Place
from vjepa_pipe.loader.state import SOURCE, LoaderState
from vjepa_pipe.loader.steps import Segment, read_steps, segment_of
from vjepa_pipe.records.changes import code_since
from vjepa_pipe.records.files import read_record
from vjepa_pipe.records.record import RUN
from vjepa_pipe.records.run_file import RunFile
from vjepa_pipe.sampling import SampleKey
from vjepa_pipe.storage import is_remote, shown_path
from vjepa_pipe.transforms import ClipParams

Config = TypeVar("Config", bound=Any)
MOST_STEPS = 10**12


@dataclasses.dataclass
class Drawn:
    """What was drawn for a clip, and the height and width of the frames that it was drawn for."""

    height: int
    width: int
    params: ClipParams


@dataclasses.dataclass
class Sample:
    """One sample of a batch.

    Attributes:
        content: What the collator was given: `key`, `replaced`, tensors and the like.
        path: Of its file, or what its dataset calls the row.
        drawn: For each clip, what our transform drew; empty for others.
    """

    content: dict[str, Any]
    path: str
    drawn: list[Drawn]

    @property
    def key(self) -> SampleKey:
        """With the row that was read."""
        key: SampleKey = self.content["key"]
        return key

    @property
    def replaced(self) -> list[BadSample]:
        """The rows that it stands for, as they could not be read."""
        bad: list[BadSample] = self.content["replaced"]
        return bad


@dataclasses.dataclass
class RunBatch:
    """A batch as a rank of a run was handed it.

    Attributes:
        run: The run's folder.
        step: From 1.
        place: Its epoch, and the batch in it, both from 0.
        loader: One that would hand it out, at another place.
        manager: That has made the loader.
        batch: What the collator made; see `DataManager.build_train_loader`.
        samples: What it made that of.
    """

    run: Path
    step: int
    place: Place
    manager: DataManager
    loader: ClipLoader
    batch: Any
    samples: list[Sample]


class RecordedRun:
    """What a run's record says of its batches.

    Args:
        folder: The run's.

    Raises:
        UserError: If it is not the folder of a run whose train loader noted its steps there, or a file of it cannot be
            read.
        ConfigError: If its experiment has faults.

    Attributes:
        folder: The run's, whole.
        experiment: What ran, with whole paths, without `loader.quarantine`: the segments have the rows that it named.
        segments: Which batches the steps were.
        recorded: Code, versions and data of the last attempt.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).resolve()
        if not (self.folder / RESOLVED_CONFIG).is_file():
            raise UserError(f"{folder} is not the folder of a run: there is no {RESOLVED_CONFIG} in it")
        self.recorded = read_record(self.folder / RUN, RunFile)
        self.experiment = _as_it_ran(thaw(self.folder / RESOLVED_CONFIG), self.recorded)
        if not (self.folder / STEPS).is_file():
            raise UserError(
                f"{folder} does not say which batches it was given: there is no {STEPS} in it, which a train loader "
                "writes where its DataManager has the run's folder as output_dir"
            )
        self.segments = read_steps(self.folder / STEPS)
        if not self.segments:
            raise UserError(f"{folder} was given no batch: its {STEPS} is empty")
        self._loaders: dict[tuple[int, int], tuple[DataManager, ClipLoader]] = {}

    def segment(self, step: int) -> Segment:
        """The one that a step belongs to.

        Raises:
            UserError: If the step is before the first of this folder.
        """
        if not 1 <= step <= MOST_STEPS:
            raise UserError(f"steps are counted from 1 to {MOST_STEPS} (got {step})")
        found = segment_of(self.segments, step)
        if found is None:
            first = min(segment.began.steps for segment in self.segments) + 1
            before = getattr(self.experiment.task, "resume", None) or "another folder"
            raise UserError(f"{self.folder} begins with step {first}: the steps before are those of {before}")
        return found

    def loader(self, segment: Segment, rank: int = 0) -> tuple[DataManager, ClipLoader]:
        """The train loader of a rank in a segment; it reads nothing before it is iterated.

        Raises:
            UserError: If the segment has no such rank, or what the loader needs cannot be read.
        """
        world = segment.began.world_size
        if not 0 <= rank < world:
            raise UserError(f"the run had {counted(world, 'rank')} then, from 0 to {world - 1} (got rank {rank})")
        if (rank, world) not in self._loaders:
            made = DataManager(self.experiment, rank, world, output_dir=self.folder)
            self._loaders[rank, world] = made, made.build_train_loader()
        manager, loader = self._loaders[rank, world]
        numbers = {rows.name: number for number, rows in enumerate(loader.dataset.sources)}
        loader.dataset.quarantine = {
            (numbers[name], row) for name, rows in segment.quarantine.items() if name in numbers for row in rows
        }
        return manager, loader

    def batch(self, step: int, rank: int, say: Callable[[str], None]) -> RunBatch:
        """The batch of a step.

        Args:
            step: From 1.
            rank: From 0.
            say: Called with a line for whatever is no longer as it was, before the batch is read.

        Raises:
            UserError: If the run has no such step or rank, or the batch cannot be read any more.
        """
        segment = self.segment(step)
        manager, loader = self.loader(segment, rank)
        place = segment.place(step)
        keys = loader.schedule.keys(*place)
        dataset, asked = loader.dataset, {(key.source, key.row) for key in keys}
        found = list(self._found_bad(loader, step))
        since = partial(_files_since, dataset, segment.time, {(source, bad.row) for bad, source, _ in found})
        for line in [*self.lists_since(segment, loader), *since(asked), *code_since(self.recorded, self.folder)]:
            say(line)
        if not keys:
            raise UserError(f"rank {rank} has no sample at step {step}, batch {place.batch} of epoch {place.epoch}")
        dataset.quarantine |= {(source, bad.row) for bad, source, _ in found if bad.error == ENDED_WORKER}
        reader = _Reader(loader)
        samples = reader.read(keys)
        then = {(source, bad.row): bad for bad, source, at in found if at == step and bad.error not in KNOWN_BAD}
        read_now = then.keys() & {(sample.key.source, sample.key.row) for sample in samples}
        if read_now:  # a file that was mended, or a store that did not answer
            for row in sorted(read_now):
                say(f"could not be read at this step, and can be now: {then[row].reason}")
            dataset.quarantine |= read_now
            samples = reader.read(keys)
        for line in since({(sample.key.source, sample.key.row) for sample in samples} - asked):
            say(line)
        return RunBatch(self.folder, step, place, manager, loader, reader.collate(samples), samples)

    def _found_bad(self, loader: ClipLoader, step: int) -> Iterator[tuple[BadSample, int, int]]:
        file = self.folder / quarantine_name(loader.schedule.rank, loader.schedule.world_size)
        return found_bad(file, loader.dataset.sources, step)

    def lists_since(self, segment: Segment, loader: ClipLoader) -> Iterator[str]:
        """A line for each source that holds other rows than it did, and each setting that says something else."""
        for name in segment.began.changes(LoaderState.from_dict(loader.state_dict())):
            if name.startswith(SOURCE):
                yield f"data has changed: {name} holds other rows than it did"
            else:
                yield f"has changed: {name}"


def batch(run: str | Path, step: int, rank: int = 0) -> Any:
    """The batch that a run was given, bit for bit, as its train loader handed it out.

    What has changed since, such as lists and videos, is said in a `UserWarning`.

    Args:
        run: The run's folder.
        step: Which batch that the rank was handed since the run began, over all epochs, from 1.
        rank: Which rank, from 0.

    Raises:
        UserError: If the folder holds no such run, step or rank, or the batch cannot be read any more.
    """
    return RecordedRun(run).batch(step, rank, lambda line: warnings.warn(line, stacklevel=4)).batch


class _Reader:
    """Reads samples as a worker does, and keeps what was drawn for them."""

    def __init__(self, loader: ClipLoader) -> None:
        collate: Any = loader.collate_fn
        self._fetch = FetchBatch(loader.dataset, collate)
        self._dataset: KeyedDataset = loader.dataset
        self._drawn: dict[SampleKey, dict[int, Drawn]] = {}
        self._dataset.on_drawn = self._keep

    def read(self, keys: Sequence[SampleKey]) -> list[Sample]:
        """The samples of keys."""
        delivery = Delivery(None, [], [], [])
        with one_thread():
            contents = self._fetch.read_all(keys, [None] * len(keys), delivery)
        if not contents:
            raise TooManyBadSamples(f"no sample of the batch can be read, the first: {delivery.bad[0].reason}")
        return [self._sample(content) for content in contents]

    def collate(self, samples: Sequence[Sample]) -> Any:
        """The batch."""
        with one_thread():
            return self._fetch.collate([dict(sample.content) for sample in samples])

    def _sample(self, content: dict[str, Any]) -> Sample:
        key = content["key"]
        drawn = self._drawn.get(key, {})
        path = shown_path(self._dataset.sources[key.source].path(key.row))
        return Sample(content, path, [drawn[clip] for clip in sorted(drawn)])

    def _keep(self, key: SampleKey, clip: int, shape: Sequence[int], params: ClipParams) -> None:
        self._drawn.setdefault(key, {})[clip] = Drawn(shape[1], shape[2], params)


def _as_it_ran(experiment: ExperimentConfig, recorded: RunFile) -> ExperimentConfig:
    """The experiment with whole paths, also of what environment variables named.

    What was in quarantine is in the segments.
    """
    image = experiment.image
    if isinstance(image, ImageStreamConfig):
        image = dataclasses.replace(image, data=_data_as_it_was(image.data, recorded.images, recorded.cwd))
    return dataclasses.replace(
        experiment,
        data=_data_as_it_was(experiment.data, recorded.data, recorded.cwd),
        image=image,
        robotics=_paths_from(experiment.robotics, Path(recorded.cwd)),
        loader=dataclasses.replace(experiment.loader, quarantine=None),
    )


def _data_as_it_was(data: DataConfig, recorded: Iterable[str], cwd: str) -> DataConfig:
    """Data with whole paths: those that were recorded, where environment variables named them."""
    paths = list(recorded)
    if unset_variables(data) and paths:
        named = {"data_root": paths[0]} if isinstance(data, CaptionedDataConfig) else {"data_paths": paths}
        data = dataclasses.replace(data, **named)
    return _paths_from(data, Path(cwd))


def _paths_from(config: Config, folder: Path) -> Config:
    """A config whose relative paths start in a folder, as far as they lead to something there."""

    def whole(path: str) -> str:
        return str(folder / path) if path and not is_remote(path) and (folder / path).exists() else path

    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = _paths_from(value, folder)
        elif bounds_of(field).path and value:
            changes[field.name] = list(map(whole, value)) if isinstance(value, list) else whole(value)
    return dataclasses.replace(config, **changes)


def _files_since(
    dataset: KeyedDataset, began: float, bad: set[tuple[int, int]], rows: set[tuple[int, int]]
) -> Iterator[str]:
    """A line for each file of some rows, and each index, that is gone or was written after a time.

    Args:
        dataset: Whose rows they are.
        began: The time, in seconds since 1970.
        bad: Rows that could not be read then, whose files may never have been there.
        rows: The rows.
    """
    never_there = {dataset.sources[source].path(row) for source, row in rows & (bad | dataset.quarantine)}
    parts = dataset.streams.values() if isinstance(dataset, MixedDataset) else [dataset]
    indexes = [index.file for part in parts for index in getattr(part, "indexes", None) or ()]
    of_files = all(isinstance(part, VideoDataset) for part in parts)
    for path in [*(dataset.sources[source].path(row) for source, row in sorted(rows)), *indexes]:
        if is_remote(path):
            continue
        try:
            written = Path(path).stat().st_mtime
        except (OSError, ValueError):
            if of_files and path not in never_there:
                yield f"data has changed: {path} is gone"
            continue
        if written > began:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(written))
            yield f"data has changed: {path} was written at {when}, after the run had begun"
