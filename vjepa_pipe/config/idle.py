"""Settings that nothing reads in this experiment, where somebody has typed them.

A file may set what only some experiments read; whoever types a setting means it to change something.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vjepa_pipe.config.aug import AugConfig
from vjepa_pipe.config.captioned import is_vlm
from vjepa_pipe.config.experiment import ExperimentConfig
from vjepa_pipe.config.image import image_experiment, of_images
from vjepa_pipe.config.robot_data import RobotDataConfig
from vjepa_pipe.config.task import IndexTaskConfig, PrepareTaskConfig, ProbeTaskConfig
from vjepa_pipe.config.train_task import TrainTaskConfig
from vjepa_pipe.config.training import ImageProbeTraining, VideoProbeTraining

OURS = "vjepa_pipe."
OF_TRAINING = ("epochs", "blocks", "heads", "learning_rates", "weight_decays", "num_classes", "precision")
OF_OTHER_CODEC = {"mjpeg": ("group_length", "crf", "preset"), "h264": ("qscale",)}


def idle_faults(experiment: ExperimentConfig, typed: Sequence[str]) -> Iterator[str]:
    """A line for each setting that was typed and has no effect.

    Args:
        experiment: A checked experiment.
        typed: Overrides of the command line.
    """
    names = [text.lstrip("+").partition("=")[0] for text in typed if not text.startswith("~")]
    idle = list(_idle(experiment))
    if (images := image_experiment(experiment)) is not None:
        idle += [(of_images(name, images), of_images(reason, images)) for name, reason in _idle(images)]
    for name in dict.fromkeys(names):
        reasons = [reason for idle_one, reason in idle if name == idle_one or name.startswith(f"{idle_one}.")]
        if "." in name and reasons:
            yield f"{name} has no effect when {reasons[0]}: leave one of the two out"


def _idle(experiment: ExperimentConfig) -> Iterator[tuple[str, str]]:
    """Settings and groups that nothing reads, each with the reason; classes of the user's may read them all."""
    data, aug, loader, task = experiment.data, experiment.data_aug, experiment.loader, experiment.task
    if data._target_.startswith(OURS):
        if data.clip_mode != "fps":
            yield "data.target_fps", f"data.clip_mode={data.clip_mode}"
        if data.num_clips == 1:
            yield "data.allow_clip_overlap", "data.num_clips=1"
        if is_vlm(data):
            yield "data_aug", "data.output.layout=vlm"
            yield "mask", "data.output.layout=vlm"
        if not isinstance(data, RobotDataConfig):
            yield "robotics", "the data is no robot's"
    if aug._target_.startswith(OURS):
        yield from _idle_augmentation(aug)
    if isinstance(task, (IndexTaskConfig, PrepareTaskConfig)):
        yield "image", f"task={'index' if isinstance(task, IndexTaskConfig) else 'prepare'}"
    if isinstance(task, PrepareTaskConfig):
        for name in OF_OTHER_CODEC[task.codec]:
            yield f"task.{name}", f"task.codec={task.codec}"
    if isinstance(task, ProbeTaskConfig):
        yield "mask", "task=probe"
        yield "image", "task=probe"
        if isinstance(experiment.training, (VideoProbeTraining, ImageProbeTraining)):
            for name in OF_TRAINING:
                yield f"task.{name}", "training says how probes are trained"
    if task._target_.startswith(OURS) and not isinstance(task, TrainTaskConfig):
        yield "tracker", f"the task is {task._target_.rpartition('.')[2]}"
    if isinstance(task, TrainTaskConfig) and task.measure_every is None:
        yield "task.measure_clips", "task.measure_every is unset"
    if loader.on_bad_sample != "replace":
        yield "loader.max_replacements", f"loader.on_bad_sample={loader.on_bad_sample}"
    if not loader.monitor.enabled:
        yield "loader.monitor.interval_sec", "loader.monitor.enabled=false"
    if loader.iterations_per_epoch is not None:
        yield "loader.drop_last", "loader.iterations_per_epoch is set"


def _idle_augmentation(aug: AugConfig) -> Iterator[tuple[str, str]]:
    if not aug.auto_augment:
        for name in ("rand_augment", "rand_augment_n", "rand_augment_m", "rand_augment_order"):
            yield f"data_aug.{name}", "data_aug.auto_augment=false"
    elif aug.rand_augment is not None:
        yield "data_aug.rand_augment_n", "data_aug.rand_augment is set"
        yield "data_aug.rand_augment_m", "data_aug.rand_augment is set"
    if aug.center_crop_ratio is not None:
        yield "data_aug.crop_scale", "data_aug.center_crop_ratio is set"
        yield "data_aug.crop_ratio", "data_aug.center_crop_ratio is set"
