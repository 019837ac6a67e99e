"""Rules that hold between settings. Each yields a line for every way it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from vjepa_pipe.config import url_rules
from vjepa_pipe.config.build import WANTING, shown
from vjepa_pipe.config.caption_rules import CAPTION_RULES
from vjepa_pipe.config.captioned import CaptionedDataConfig, is_vlm
from vjepa_pipe.config.data import CSV_LISTS, CsvDataConfig
from vjepa_pipe.config.errors import counted
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import ImageStreamConfig
from vjepa_pipe.config.loader import TorchcodecConfig
from vjepa_pipe.config.mask_rules import clips_hold_whole_tokens
from vjepa_pipe.config.robot_data import RobotDataConfig
from vjepa_pipe.config.state_forms import form_faults
from vjepa_pipe.config.targets import TARGET
from vjepa_pipe.config.task import IndexTaskConfig, ShardedTaskConfig

ROBOT_CLIPS = {
    "clip_mode": "fps", "num_clips": 1, "allow_clip_overlap": False, "repeated_sampling": 1, "repeated_window": "own",
    "max_duration_sec": None, "index_dir": None,
}  # fmt: skip

UNSET = {
    "data_weights": "shares in proportion to the rows",
    "frames_per_clip_by_source": "data.frames_per_clip in all",
    "source_names": "the files' names",
}
"""Lists with an entry per source, and what holds without them."""

TORCHVISION = "torchvision.transforms.v2."
KEEP_GEOMETRY = frozenset({
    "ColorJitter", "Compose", "GaussianBlur", "GaussianNoise", "Grayscale", "Identity", "JPEG", "RandomAdjustSharpness",
    "RandomApply", "RandomAutocontrast", "RandomChannelPermutation", "RandomChoice", "RandomEqualize", "RandomErasing",
    "RandomGrayscale", "RandomInvert", "RandomOrder", "RandomPhotometricDistort", "RandomPosterize", "RandomSolarize",
})  # fmt: skip
"""Classes of torchvision that change what pixels hold, never where they are; for others their authors answer."""

Rule = Callable[[ExperimentConfig], Iterator[str]]


def one_setting_per_source(experiment: ExperimentConfig) -> Iterator[str]:
    """Lists with an entry per source are as long as the list of sources."""
    data = experiment.data
    sources = len(data.data_paths)
    for name in UNSET:
        values: list[Any] | None = getattr(data, name)
        if values is not None and sources and len(values) != sources:
            yield (
                f"data.{name} must have {counted(sources, 'value')}, one for each source (got {len(values)}): "
                f"give as many, or data.{name}=null for {UNSET[name]}"
            )
    if data.source_names is not None and len(set(data.source_names)) != len(data.source_names):
        yield f"data.source_names must differ from each other (got {data.source_names})"


def lists_are_named(experiment: ExperimentConfig) -> Iterator[str]:
    """Lists are named in the config, or in environment variables that the config names."""
    data = experiment.data
    if isinstance(data, CsvDataConfig) and not data.data_paths and not data.path_variables:
        yield f"data.data_paths{WANTING[1]} {CSV_LISTS}"


def names_stay_inside(experiment: ExperimentConfig) -> Iterator[str]:
    """The run's name is a folder below the output root; a source's name is part of file names."""
    name = experiment.name
    if name.startswith(("/", "~")) or ".." in name.replace("\\", "/").split("/") or not name.isprintable():
        yield f"name must be a folder below outputs/, without '..' (got {name!r})"
    for source in experiment.data.source_names or []:
        if "/" in source or "\\" in source or source in ("", ".", "..") or not source.isprintable():
            yield f"data.source_names must be plain names, without '/' (got {source!r})"


def weights_draw_something(experiment: ExperimentConfig) -> Iterator[str]:
    """At least one source has a weight."""
    weights = experiment.data.data_weights
    if weights is not None and all(isinstance(w, (int, float)) and w == 0 for w in weights):
        yield f"data.data_weights must not sum to 0 (got {weights})"


def one_clip_mode(experiment: ExperimentConfig) -> Iterator[str]:
    """A setting of a clip mode that was not chosen would be ignored, so it is refused."""
    data = experiment.data
    for name, mode in (("clip_duration_sec", "duration"), ("frame_step", "frame_step")):
        value = getattr(data, name)
        if value is not None and data.clip_mode != mode:
            yield (
                f"data.{name}={value} has no effect when data.clip_mode={data.clip_mode}: "
                f"set data.clip_mode={mode} or leave it out"
            )


def padding_fits_the_convention(experiment: ExperimentConfig) -> Iterator[str]:
    """The published loader has one way to fill a short video."""
    data = experiment.data
    if data.convention == "reference" and data.short_videos == "circulant":
        yield "data.short_videos must be repeat_last or drop with data.convention=reference (got circulant)"


def augmentation_keeps_geometry(experiment: ExperimentConfig) -> Iterator[str]:
    """What moves the pixels of robot video must move its actions too, and nothing here does that."""
    aug = experiment.data_aug
    if not (aug.keep_geometry or experiment.robotics.enabled):
        return
    if aug.horizontal_flip:
        yield "data_aug.horizontal_flip must be false for robot data: it mirrors the pixels but not the actions"
    if aug.motion_shift:
        yield "data_aug.motion_shift must be false for robot data: a moving crop looks like a moving camera"
    for where, name in _nodes(aug.extra_transforms, "data_aug.extra_transforms"):
        kind = name.removeprefix(TORCHVISION)
        if kind != name and kind not in KEEP_GEOMETRY:
            yield f"{where}: {name} must not be used on robot data: it is not known to leave pixels where they are"
    if aug.auto_augment:
        yield "data_aug.auto_augment must be false for robot data: RandAugment rotates, shears and shifts the pixels"


def _nodes(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Each `_target_` in nested values, with its place."""
    if isinstance(value, dict):
        if isinstance(value.get(TARGET), str):
            yield where, value[TARGET]
        for key, item in value.items():
            yield from _nodes(item, f"{where}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nodes(item, f"{where}[{index}]")


def robot_clips(experiment: ExperimentConfig) -> Iterator[str]:
    """States need robot data, and robot data has one way to choose a clip."""
    data, robotics = experiment.data, experiment.robotics
    if not isinstance(data, RobotDataConfig):
        if robotics.enabled:
            yield "robotics.enabled needs data with robot states: data=droid, data=lerobot or data=synthetic_robot"
        return
    for name, only in ROBOT_CLIPS.items():
        if getattr(data, name) != only:
            wanted = "unset" if only is None else str(only).lower()
            yield f"data.{name} must be {wanted} for robot data, which does not read it (got {getattr(data, name)})"
    if robotics.stereo and data.layout != "droid":
        yield "robotics.stereo needs data.layout=droid: LeRobot datasets hold no stereo videos"
    if robotics.camera_frame and data.extrinsics_key == "":
        yield "robotics.camera_frame needs data.extrinsics_key: where the camera's pose is"
    if robotics.statistics is not None and robotics.normalization == "none":
        yield "robotics.statistics has no effect when robotics.normalization=none"
    if robotics.enabled and robotics.state_form != "auto":
        yield from form_faults(robotics.state_form, robotics)


def one_crop(experiment: ExperimentConfig) -> Iterator[str]:
    """A fixed crop does not move."""
    aug = experiment.data_aug
    if aug.center_crop_ratio is not None and aug.motion_shift:
        yield "data_aug.motion_shift must be false with data_aug.center_crop_ratio: a fixed crop does not move"


def one_epoch_length(experiment: ExperimentConfig) -> Iterator[str]:
    """An epoch is measured in clips or in batches."""
    loader = experiment.loader
    if loader.samples_per_epoch is not None and loader.iterations_per_epoch is not None:
        yield "loader.samples_per_epoch and loader.iterations_per_epoch both give the length of an epoch: set one"


def clips_of_a_video_share_a_batch(experiment: ExperimentConfig) -> Iterator[str]:
    """Batches and epochs hold all clips that are taken from one opening of a video."""
    clips = experiment.data.repeated_sampling
    lengths = {
        "data.batch_size": experiment.data.batch_size,
        "loader.samples_per_epoch": experiment.loader.samples_per_epoch,
    }
    for name, length in lengths.items():
        if length is not None and length % clips:
            below, above = length // clips * clips, -(-length // clips) * clips
            near = f"{below} or {above}" if below else above
            yield f"{name} must be a multiple of data.repeated_sampling={clips}, such as {near} (got {length})"


def images_beside_videos(experiment: ExperimentConfig) -> Iterator[str]:
    """Batches of images and of videos take turns, so both are whole and hold clips and masks alone."""
    image = experiment.image
    if not isinstance(image, ImageStreamConfig):
        return
    if isinstance(image.data, (RobotDataConfig, CaptionedDataConfig)):
        kind = "robots" if isinstance(image.data, RobotDataConfig) else "captions"
        yield f"image.data must be images or plain videos, such as data@image.data=folder (got data of {kind})"
    if shared := sorted({*(image.data.source_names or ())} & {*(experiment.data.source_names or ())}):
        yield f"image.data.source_names must differ from data.source_names (got {', '.join(shared)} in both)"
    if experiment.robotics.enabled:
        yield "robotics.enabled must be false with images beside the videos: an image has no states and actions"
    if is_vlm(experiment.data):
        yield "data.output.layout must be vjepa with images beside the videos (got vlm): they have no captions"
    if not experiment.loader.drop_last:
        yield "loader.drop_last must be true with images beside the videos: a step takes whole batches of both"


def bytes_are_not_erased(experiment: ExperimentConfig) -> Iterator[str]:
    """Erasing puts noise of normalised clips in place of pixels, and 8-bit values cannot hold it."""
    if experiment.loader.output == "uint8" and experiment.data_aug.random_erasing:
        share = experiment.data_aug.random_erasing
        yield f"data_aug.random_erasing must be 0 with loader.output=uint8: its noise has no 8-bit values (got {share})"


def index_fits_the_decoder(experiment: ExperimentConfig) -> Iterator[str]:
    """An index counts the frames that are there; a decoder that goes by the header may count others."""
    decoder = experiment.decoder
    if experiment.data.index_dir is not None and isinstance(decoder, TorchcodecConfig) and decoder.seek_mode != "exact":
        yield f"data.index_dir needs decoder.seek_mode=exact (got {decoder.seek_mode}): the index counts real frames"


def shards_meet(experiment: ExperimentConfig) -> Iterator[str]:
    """Each shard is one of its number, and finds the others in one folder."""
    task = experiment.task
    if not isinstance(task, ShardedTaskConfig):
        return
    folder = "index_dir" if isinstance(task, IndexTaskConfig) else "target_dir"
    if task.shard >= task.shards:
        yield f"task.shard must be < task.shards={task.shards} (got {task.shard})"
    if task.shards > 1 and getattr(task, folder, None) is None:
        yield f"task.{folder} must be set with task.shards={task.shards}: shards meet in one folder"


def transforms_name_a_target(experiment: ExperimentConfig) -> Iterator[str]:
    """Each further transform says what it is."""
    for index, node in enumerate(experiment.data_aug.extra_transforms):
        if not isinstance(node, dict) or TARGET not in node:
            yield f"data_aug.extra_transforms[{index}] must be a mapping with a `{TARGET}` (got {shown(node)})"


RULES: tuple[Rule, ...] = (
    transforms_name_a_target,
    lists_are_named,
    names_stay_inside,
    one_setting_per_source,
    weights_draw_something,
    one_clip_mode,
    padding_fits_the_convention,
    clips_hold_whole_tokens,
    augmentation_keeps_geometry,
    robot_clips,
    one_crop,
    one_epoch_length,
    clips_of_a_video_share_a_batch,
    images_beside_videos,
    *CAPTION_RULES,
    bytes_are_not_erased,
    index_fits_the_decoder,
    shards_meet,
    *url_rules.URL_RULES,
)
