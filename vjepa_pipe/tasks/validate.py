"""task=validate: gates that data must pass before it is trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.markup import escape

from vjepa_pipe.config.captioned import CaptionedDataConfig, is_vlm
from vjepa_pipe.config.data import CLIP_MODES
from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import VIDEO
from vjepa_pipe.config.img_size import height_and_width
from vjepa_pipe.config.task import ValidateTaskConfig
from vjepa_pipe.datasets import EpicKitchensDataset, RobotDataset, VideoDataset
from vjepa_pipe.loader import DataManager
from vjepa_pipe.loader.schedule import BatchSchedule
from vjepa_pipe.sampling import SampleOrder
from vjepa_pipe.tasks.gates import GateFailed, OpenedFiles, require
from vjepa_pipe.tasks.plain_videos import plain_videos
from vjepa_pipe.tasks.validate_captions import captions
from vjepa_pipe.tasks.validate_files import every_row
from vjepa_pipe.tasks.validate_robot import robot_clips

Gate = Callable[[DataManager, OpenedFiles], str]
"""Gives what it found, and raises `GateFailed`."""

WORLDS = (1, 2, 4, 7)
MAX_DRAWS = 20_000
GREY = 128


def validate(experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
    """Run the gates on the experiment's own data, a line each, which also says how many files could not be read.

    1. Clips: every clip mode gives `[C, T, H, W]` with frame numbers inside the file.
    2. Transforms: the train transform has the right shape and finite values; the eval transform is
       normalised and gives the same bits twice.
    3. Order: weights respected, no position on two ranks, full coverage, for 1, 2, 4 and 7 ranks.
    4. With `task.full`, files: every row can be read, but for `loader.max_failure_rate` of each source.

    Images beside the videos go through the same gates, which are then called `image.clips` and so on.

    Returns:
        For each gate, whether it passed.

    Raises:
        GateFailed: If a gate did not pass, after all have run.
    """
    console, passed = Console(stderr=True), dict[str, Any]()
    for modality, manager in DataManager(experiment, rank=0, world_size=1, output_dir=output_dir).streams.items():
        for gate_name, gate in _gates(manager.config, output_dir, console).items():
            name = gate_name if modality == VIDEO else f"{modality}.{gate_name}"
            files = OpenedFiles()
            try:
                found = gate(manager, files)
                passed[name] = True
            except GateFailed as error:
                found = str(error)
                passed[name] = False
            if files and str(files) not in found:
                found += f"; {files}"
            mark = "[green]pass[/]" if passed[name] else "[red]FAIL[/]"
            console.print(f"{mark} {escape(name)}: {escape(found)}", highlight=False, soft_wrap=True)
    if not all(passed.values()):
        raise GateFailed(f"{', '.join(name for name, ok in passed.items() if not ok)} did not pass")
    return passed


def _gates(experiment: ExperimentConfig, output_dir: Path, console: Console) -> dict[str, Gate]:
    task = experiment.task
    assert isinstance(task, ValidateTaskConfig)
    gates: dict[str, Gate] = {"clips": clips, "transforms": transforms, "order": order}
    if isinstance(experiment.data, CaptionedDataConfig):
        gates["clips"] = captions
    if is_vlm(experiment.data):
        del gates["transforms"]  # data_aug is not used
    if task.full:
        gates["files"] = lambda manager, _: every_row(manager, output_dir, console)
    return gates


def clips(manager: DataManager, files: OpenedFiles) -> str:
    """Gate 1: every clip mode that the data has, on the first rows of every source."""
    task = manager.config.task
    assert isinstance(task, ValidateTaskConfig)
    train = manager.build_train_dataset()
    if isinstance(train, RobotDataset):
        train.on_bad_sample = "raise"
        Console(stderr=True).print(*train.description, sep="\n", markup=False, highlight=False, soft_wrap=True)
        found = robot_clips(train, task.samples, manager.config.data.img_size, files)
        files.require_all()
        return found
    modes = CLIP_MODES[:1] if isinstance(train, EpicKitchensDataset) else CLIP_MODES
    read, size = 0, height_and_width(manager.config.data.img_size)
    for mode in modes:
        dataset = train if isinstance(train, EpicKitchensDataset) else _with_mode(manager, mode)
        dataset.on_bad_sample = "raise"
        first_row = 0
        for rows, sampler in zip(dataset.sources, dataset.clip_samplers, strict=True):
            for row in range(min(task.samples, len(rows))):
                with files.opening(rows.path(row)):
                    clip, sample = dataset.read(dataset.key_of(first_row + row)), dataset[first_row + row]
                    require(
                        tuple(sample["video"].shape[-4:]) == (3, sampler.frames_per_clip, *size),
                        f"{clip.path}: {mode} gave a clip of shape {list(sample['video'].shape)}",
                    )
                    inside = all(((part >= 0) & (part < clip.num_frames)).all() for part in clip.indices)
                    require(inside, f"{clip.path}: {mode} asked for frames outside the file's {clip.num_frames}")
                    read += 1
            first_row += len(rows)
    files.require_all()
    kinds = counted(len(modes), "clip mode")
    return f"{counted(read, 'clip')} in {kinds}: [C, T, H, W], with frame numbers inside their files"


def _with_mode(manager: DataManager, mode: str) -> VideoDataset:
    data = replace(manager.config.data, clip_mode=mode, clip_duration_sec=None, frame_step=None)
    return plain_videos(DataManager(replace(manager.config, data=data), rank=0, world_size=1))


def transforms(manager: DataManager, files: OpenedFiles) -> str:
    """Gate 2: shapes, normalisation, determinism."""
    config, pipeline = manager.config, manager.build_transforms()
    frames = _first_frames(manager, files)
    shape = (3, len(frames), *height_and_width(config.data.img_size))
    train = pipeline.get_train_transform()(frames, rng=np.random.default_rng(config.seed))
    require(tuple(train.shape) == shape, f"the train transform gave {list(train.shape)}, not {list(shape)}")
    require(
        train.dtype == torch.float32 and bool(train.isfinite().all()),
        "the train transform gave values that are not finite float32",
    )
    evaluate = pipeline.get_eval_transform()
    require(torch.equal(evaluate(frames), evaluate(frames)), "the eval transform gave two results for one clip")
    grey = evaluate(np.full_like(frames, GREY))
    mean, std = torch.tensor(config.data_aug.normalize_mean), torch.tensor(config.data_aug.normalize_std)
    expected = ((GREY / 255 - mean) / std).view(3, 1, 1, 1)
    require(
        bool((grey - expected).abs().max() < 1e-4), "the eval transform does not normalise with the given mean and std"
    )
    return f"train gives {list(shape)} float32; eval gives the same bits twice, normalised with mean {mean.tolist()}"


def _first_frames(manager: DataManager, files: OpenedFiles) -> npt.NDArray[np.uint8]:
    """The frames of a clip as decoded, of the first row that can be read.

    Raises:
        GateFailed: If none of the first `task.samples` rows can be.
    """
    dataset, task = manager.build_train_dataset(), manager.config.task
    assert isinstance(task, ValidateTaskConfig)
    for index in range(min(task.samples, len(dataset))):
        key = dataset.key_of(index)
        with files.opening(dataset.sources[key.source].path(key.row)):
            if isinstance(dataset, RobotDataset):
                return dataset.read(key).frames[0]
            assert isinstance(dataset, VideoDataset)
            clip = dataset.read(key)
            return clip.frames[: len(clip.indices[0])]
    raise GateFailed("no clip to transform")


def order(manager: DataManager, files: OpenedFiles) -> str:  # noqa: ARG001 (it opens none)
    """Gate 3: the sample order, on an epoch of at most 20,000 draws."""
    config = manager.config
    sizes = [len(rows) for rows in manager.build_train_dataset().sources]
    weights = config.data.data_weights or sizes
    draws = min(sum(sizes), MAX_DRAWS)
    samples = SampleOrder(weights=weights, sizes=sizes, epoch_size=draws, seed=config.seed)
    reference: list[Any] | None = None
    for world in WORLDS:
        schedules = [BatchSchedule(samples, draws, 1, rank, world) for rank in range(world)]
        drawn = [[key for batch in schedule.batches(0) for key in batch] for schedule in schedules]
        keys = sorted((key for rank in drawn for key in rank), key=lambda key: key.position)
        require(
            [key.position for key in keys] == list(range(draws)),
            f"an epoch is not covered once by {counted(world, 'rank')}",
        )
        reference = reference or keys
        require(keys == reference, f"{world} ranks draw other samples than 1 rank")
    counts = Counter(key.source for key in reference or [])
    for source, weight in enumerate(weights):
        expected = draws * weight / sum(weights)
        require(
            abs(counts[source] - expected) < 1,
            f"source {source} was drawn {counted(counts[source], 'time')}, expected {expected:.1f}",
        )
    shares = ", ".join(f"{counts[source]}/{draws}" for source in range(len(sizes)))
    worlds = ", ".join(map(str, WORLDS))
    return f"draws per source {shares}; each position on one rank, the same samples for {worlds} ranks; no file opened"
