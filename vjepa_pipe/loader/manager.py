"""DataManager: an experiment to its loaders."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from vjepa_pipe.config.captioned import is_vlm
from vjepa_pipe.config.check import check
from vjepa_pipe.config.data import DataConfig
from vjepa_pipe.config.epoch import epoch_faults, epoch_size
from vjepa_pipe.config.errors import ConfigError, counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.folders import RESOLVED_CONFIG, STEPS
from vjepa_pipe.config.image import IMAGE, VIDEO, ImageConfig, ImageStreamConfig, image_experiment, naming_images
from vjepa_pipe.config.instantiate import instantiate
from vjepa_pipe.config.protocols import PAGE
from vjepa_pipe.config.rules import TORCHVISION
from vjepa_pipe.config.targets import TARGET
from vjepa_pipe.config.task import IndexTaskConfig
from vjepa_pipe.config.urls import shown_path
from vjepa_pipe.datasets import (
    CaptionedDataset,
    EpicKitchensDataset,
    KeyedDataset,
    MapStyleDataset,
    MixedDataset,
    VideoDataset,
    annotation_files,
)
from vjepa_pipe.datasets.files import eval_files
from vjepa_pipe.loader.caption_collate import VideoCollator
from vjepa_pipe.loader.collate import MaskCollator
from vjepa_pipe.loader.fetch import Collate, WorkerStart
from vjepa_pipe.loader.identity import fingerprints, mixed_fingerprints
from vjepa_pipe.loader.loader import ClipLoader
from vjepa_pipe.loader.mixed_collate import MixedCollator
from vjepa_pipe.loader.mixed_schedule import MixedSchedule, StreamSchedule
from vjepa_pipe.loader.quarantine import quarantine_name, read_quarantine
from vjepa_pipe.loader.schedule import BatchSchedule, Order, Positions, Schedule
from vjepa_pipe.loader.slots import slots_of, video_batch_size
from vjepa_pipe.loader.steps import StepLog, by_source
from vjepa_pipe.sampling import OwnOrder, SampleOrder, SequentialOrder, keyed_hash, rank_and_world
from vjepa_pipe.storage import Storage
from vjepa_pipe.video import Decoder, DecordDecoder, OwnDecoder, PyavDecoder, TorchcodecDecoder

logger = logging.getLogger(__name__)


@cache
def _say_once(names: str) -> None:
    logger.info(
        "%s: each clip at a URL costs a request for the start of its file, one for its tables and one or more for its "
        "frames, and files other than mp4 are read whole; task=index task.index_dir=DIR, then data.index_dir=DIR, "
        "makes that one request for the packets of the clip", names,
    )  # fmt: skip


class DataManager:
    """Builds the loaders of an experiment.

    Of one with images beside its videos (group `image`), the train loader hands out batches of both: their `modality`
    says which, and `image.share` and `image.convention` on which ranks, or at which steps. Everything else is of the
    videos.

    Args:
        config: An experiment, or only its data; the rest then has its defaults, without masks.
        rank: This process's rank; unset: from torch.distributed, torchrun or SLURM, else 0.
        world_size: Number of ranks; unset: likewise, else 1.
        output_dir: Where `quarantine.jsonl` goes, once a file is bad, and the workers' logs, if any are kept. In the
            folder of a run, the train loader of rank 0 notes in `steps.jsonl` which batches the steps were.

    Raises:
        ConfigError: Naming everything that is wrong with the config.
    """

    def __init__(
        self,
        config: ExperimentConfig | DataConfig,
        rank: int | None = None,
        world_size: int | None = None,
        output_dir: str | Path = ".",
    ) -> None:
        self.config = config if isinstance(config, ExperimentConfig) else ExperimentConfig(data=config)
        check(self.config)
        given = rank is not None and world_size is not None
        found_rank, found_world = (0, 1) if given else rank_and_world()
        self._ranks_found = rank is None and world_size is None
        self.rank = found_rank if rank is None else rank
        self.world_size = found_world if world_size is None else world_size
        self.output_dir = Path(output_dir)
        self.storage = Storage(self.config.storage)

    @cached_property
    def streams(self) -> dict[str, DataManager]:
        """The manager of each stream, by its modality: this one, or those of a mix's videos and of its images alone.

        Each stream of a mix is an experiment of its own, with the same groups but for `data` and `mask`. That of images
        has a seed of its own, so that what is drawn for them has nothing to do with what is drawn for videos.
        """
        images = image_experiment(self.config)
        if images is None:
            return {VIDEO: self}
        seed = keyed_hash("images of a mix", self.config.seed) % 2**63
        own = {VIDEO: replace(self.config, image=ImageConfig()), IMAGE: replace(images, seed=seed)}
        with naming_images(images):
            return {name: DataManager(one, self.rank, self.world_size, self.output_dir) for name, one in own.items()}

    def stream_of(self, batch: Any) -> DataManager:
        """The manager of the stream that a batch is of."""
        modality = batch.get("modality") if isinstance(batch, Mapping) else None
        return self.streams[IMAGE] if IMAGE in self.streams and modality == IMAGE else self.streams[VIDEO]

    def build_train_loader(self, mask_collator: Collate | None = None) -> ClipLoader:
        """Weighted, shuffled, augmented batches.

        Args:
            mask_collator: Collates samples instead of the collator that the experiment names. With images beside the
                videos, it is called with samples of one of them at a time, whose `modality` says which.

        Raises:
            ConfigError: If files are missing, an epoch holds no batch, or images and videos cannot share the ranks.
            SourceError: If an annotation file cannot be read.
        """
        dataset = self.build_train_dataset()
        if isinstance(dataset, MixedDataset):
            mixed = self._mixed_schedule(dataset)
            collate = self._mixed_collator(dataset, mixed, mask_collator)
            return self._loader(dataset, mixed, collate, drop_last=True, steps=self._step_log(dataset))
        sizes = [len(rows) for rows in dataset.sources]
        epoch_clips = self._epoch_clips(sum(sizes))
        repeats = self.config.data.repeated_sampling
        schedule = self._schedule(self._order(sizes, epoch_clips // repeats), epoch_clips, repeats)
        collator = mask_collator or self._collator(dataset, schedule)
        return self._loader(dataset, schedule, collator, self.config.loader.drop_last, self._step_log(dataset))

    def build_eval_loader(self, mask_collator: Collate | None = None) -> ClipLoader:
        """Every sample once over all ranks, in order, without augmentation; the last batch is kept.

        It reads `data.eval_data_paths`, else the training files, and one clip of each row, whatever
        `data.repeated_sampling` is. A sample that cannot be read is an error here: a replacement would change
        the test set.

        Args:
            mask_collator: Collates samples; unset: without masks.

        Raises:
            ConfigError: If files are missing.
            SourceError: If an annotation file cannot be read.
        """
        dataset = self.build_eval_dataset()
        order = SequentialOrder([len(rows) for rows in dataset.sources], seed=self.config.seed)
        return self._loader(
            dataset, self._schedule(order, len(dataset)), mask_collator or self._collator(dataset), drop_last=False
        )

    def build_train_dataset(self) -> KeyedDataset:
        """The dataset behind the train loader: a `MixedDataset` where there are images beside the videos."""
        if IMAGE in self.streams:
            return self._mixed_dataset()
        dataset = self._dataset(
            annotation_files(self.config.data),
            self.build_transforms().get_train_transform(),
            self.config.loader.on_bad_sample,
        )
        dataset.repeats = self.config.data.repeated_sampling
        return dataset

    def build_eval_dataset(self) -> KeyedDataset:
        """The dataset behind the eval loader: clips start at fixed places."""
        paths = eval_files(self.config.data)
        return self._dataset(paths, self.build_transforms().get_eval_transform(), "raise", random_clip_sampling=False)

    def build_transforms(self) -> Any:
        """The transform pipeline that `data_aug` names."""
        extra = [
            instantiate(node, f"data_aug.extra_transforms[{i}]")
            for i, node in enumerate(self.config.data_aug.extra_transforms)
        ]
        if self.config.data_aug.keep_geometry or self.config.robotics.enabled:
            for place, (node, built) in enumerate(zip(self.config.data_aug.extra_transforms, extra, strict=True)):
                if not node[TARGET].startswith(TORCHVISION) and not getattr(built, "keeps_geometry", False):
                    logger.warning(
                        "data_aug.extra_transforms[%d]: %s is not known to leave pixels where they are, as robot data "
                        "needs; if it does, give its class keeps_geometry = True", place, node[TARGET],
                    )  # fmt: skip
        return instantiate(
            self.config.data_aug,
            "data_aug",
            img_size=self.config.data.img_size,
            extra_transforms=extra,
            output=self.config.loader.output,
        )

    def build_mask_collator(self, schedule: Positions | None = None) -> Collate:
        """The collator that `mask` names, or a `MaskCollator` of the mask that it names.

        Args:
            schedule: Where batches lie in the run; unset: see `MaskCollator`.
        """
        settings: dict[str, Any] = {
            "frames_per_clip": self._lengths(),
            "schedule": schedule,
            "seed": self.config.seed,
            "img_size": self.config.data.img_size,
        }
        built = instantiate(self.config.mask, "mask", **settings)
        if hasattr(built, "draw"):
            return MaskCollator(self.config.mask, own_mask=built, **settings)
        collator: Collate = built
        return collator

    def _naming(self, modality: str) -> AbstractContextManager[None]:
        """Faults of a stream of a mix name the settings of the whole experiment."""
        return naming_images(self.streams[IMAGE].config) if modality == IMAGE else nullcontext()

    def _mixed_dataset(self) -> MixedDataset:
        built: dict[str, KeyedDataset] = {}
        for name, stream in self.streams.items():
            with self._naming(name):
                built[name] = stream.build_train_dataset()
        return MixedDataset(built[VIDEO], built[IMAGE])

    def _mixed_schedule(self, dataset: MixedDataset) -> MixedSchedule:
        """The batches of this rank, of videos and of images."""
        data, image = self.config.data, self.config.image
        assert isinstance(image, ImageStreamConfig)
        sizes = {name: [len(rows) for rows in one.sources] for name, one in dataset.streams.items()}
        slots = slots_of(image, self.world_size)
        batch_sizes = {VIDEO: video_batch_size(data, slots), IMAGE: image.data.batch_size}
        batches = self._epoch_clips(sum(sizes[VIDEO])) // data.batch_size
        clips = {VIDEO: int(batches * (1 - slots.share) * batch_sizes[VIDEO]), IMAGE: sum(sizes[IMAGE])}
        streams = {}
        for name, stream in self.streams.items():
            repeats = stream.config.data.repeated_sampling
            epoch = max(1, clips[name] // repeats)
            with self._naming(name):
                order = stream._order(sizes[name], epoch)
            first_source = len(sizes[VIDEO]) if name == IMAGE else 0
            streams[name] = StreamSchedule(order, epoch, batch_sizes[name], slots, name, first_source, repeats)
        return MixedSchedule(streams, batches // self.world_size, data.batch_size, self.rank)

    def _mixed_collator(self, dataset: MixedDataset, schedule: MixedSchedule, given: Collate | None) -> MixedCollator:
        collators = {}
        for name, stream in self.streams.items():
            with self._naming(name):
                collators[name] = given or stream._collator(dataset.streams[name], schedule.streams[name])
        return MixedCollator(collators)

    def _dataset(self, paths: list[str], transform: Any, on_bad_sample: str, **changes: Any) -> KeyedDataset:
        data, loader = self.config.data, self.config.loader
        self.storage.require_cache()
        lengths = data.frames_per_clip_by_source
        if lengths and paths and len(lengths) != len(paths):
            raise ConfigError([
                f"data.frames_per_clip_by_source must have {counted(len(paths), 'value')}, one for each of "
                f"{', '.join(map(shown_path, paths))} (got {len(lengths)})"
            ])  # fmt: skip
        names = data.source_names if data.source_names and len(data.source_names) == len(paths) else None
        shared = {
            "transform": transform,
            "seed": self.config.seed,
            "on_bad_sample": on_bad_sample,
            "max_replacements": loader.max_replacements,
        }
        built = instantiate(
            data,
            "data",
            data_paths=paths,
            source_names=names,
            robotics=self.config.robotics,
            decoder=self._decoder(),
            storage=self.storage,
            **shared,
            **changes,
        )
        name = names[0] if names else type(built).__name__
        dataset = built if isinstance(built, KeyedDataset) else MapStyleDataset(built, name, **shared)
        if not hasattr(dataset, "sources"):
            raise ConfigError([f"data._target_: {data._target_} must call KeyedDataset.__init__ ({PAGE})"])
        if not len(dataset):
            raise ConfigError([f"data._target_: {data._target_} gives a dataset without items"])
        for name, unset in (("index_dir", None), ("repeated_window", "own")):
            if getattr(data, name) != unset and not isinstance(dataset, VideoDataset):
                raise ConfigError(
                    [f"data.{name} is read for lists of videos; data._target_={data._target_} gives others"]
                )
        takes_index = not isinstance(dataset, (CaptionedDataset, EpicKitchensDataset))
        if isinstance(dataset, VideoDataset) and takes_index and dataset.indexes is None:
            self._advise_index(dataset)
        if loader.quarantine is not None:
            dataset.quarantine |= read_quarantine(loader.quarantine, dataset.sources)
        return dataset

    def _advise_index(self, dataset: VideoDataset) -> None:
        names = ", ".join(rows.name for rows in dataset.sources if rows.has_urls)
        if names and not self.rank and not isinstance(self.config.task, IndexTaskConfig):
            _say_once(names)

    def _decoder(self) -> Decoder:
        built = instantiate(self.config.decoder, "decoder")
        if isinstance(built, PyavDecoder):
            return replace(built, storage=self.storage)
        ours = isinstance(built, (DecordDecoder, TorchcodecDecoder))
        return built if ours else OwnDecoder(built)

    def _order(self, sizes: Sequence[int], epoch_size: int) -> Order:
        seed, weights = self.config.seed, self.config.data.data_weights or sizes
        faults = [
            f"data.{name} must have one value for each source: the dataset has {len(sizes)} (got {len(given)})"
            for name in ("data_weights", "frames_per_clip_by_source")
            if (given := getattr(self.config.data, name)) and len(given) != len(sizes)
        ]
        if faults:
            raise ConfigError(faults)
        built = instantiate(
            self.config.loader.sampler,
            "loader.sampler",
            weights=weights,
            sizes=sizes,
            epoch_size=epoch_size,
            seed=seed,
        )
        return built if isinstance(built, SampleOrder) else OwnOrder(built, sizes, epoch_size, seed)

    def _epoch_clips(self, rows: int) -> int:
        """The size of an epoch of the train loader.

        Raises:
            ConfigError: If it holds no batch.
        """
        if faults := list(epoch_faults(self.config, rows, self.world_size)):
            raise ConfigError(faults)
        return epoch_size(self.config, rows, self.world_size)

    def _schedule(self, order: Order, epoch_size: int, repeats: int = 1) -> BatchSchedule:
        return BatchSchedule(order, epoch_size, self.config.data.batch_size, self.rank, self.world_size, repeats)

    def _collator(self, dataset: KeyedDataset, masked_by: Positions | None = None) -> Collate:
        if isinstance(dataset, CaptionedDataset) and is_vlm(self.config.data):
            return VideoCollator(*dataset.text_padding)
        if masked_by is not None:
            return self.build_mask_collator(masked_by)
        return MaskCollator(None, self._lengths(), seed=self.config.seed)

    def _step_log(self, dataset: KeyedDataset) -> StepLog | None:
        if self.rank or not (self.output_dir / RESOLVED_CONFIG).is_file():
            return None
        return StepLog(self.output_dir / STEPS, by_source(dataset.quarantine, dataset.sources))

    def _loader(
        self,
        dataset: KeyedDataset,
        schedule: Schedule,
        collate: Collate,
        drop_last: bool,
        steps: StepLog | None = None,
    ) -> ClipLoader:
        seed, monitor = self.config.seed, self.config.loader.monitor
        start = WorkerStart(seed, self.rank, self.output_dir if monitor.enabled else None, monitor.interval_sec)
        return ClipLoader(
            dataset,
            schedule,
            collate,
            self.config.loader,
            self._num_workers(schedule),
            seed,
            start,
            self.output_dir / quarantine_name(self.rank, self.world_size),
            self._made_of(dataset, schedule),
            masks={name: stream.config.mask for name, stream in self.streams.items()},
            drop_last=drop_last,
            ranks_found=self._ranks_found,
            steps=steps,
        )

    def _num_workers(self, schedule: Schedule) -> int:
        """Those of the stream that this rank has; the larger number of the two where it changes."""
        if not isinstance(schedule, MixedSchedule):
            return self.config.data.num_workers
        workers = {name: stream.config.data.num_workers for name, stream in self.streams.items()}
        return max(workers.values()) if schedule.modality is None else workers[schedule.modality]

    def _made_of(self, dataset: KeyedDataset, schedule: Schedule) -> Callable[[], dict[str, str]]:
        if not isinstance(schedule, MixedSchedule):
            return partial(fingerprints, self.config, dataset.sources)
        images, share = self.streams[IMAGE].config, schedule.slots.share
        first_image = schedule.streams[IMAGE].first_source
        return partial(mixed_fingerprints, self.config, images, dataset.sources, first_image, share)

    def _lengths(self) -> list[int]:
        return self.config.data.frames_per_clip_by_source or [self.config.data.frames_per_clip]
