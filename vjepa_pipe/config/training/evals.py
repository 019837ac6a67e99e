"""Sections of the V-JEPA 2 probes that are not data (vjepa2 `evals/*/eval.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.training.base import REQUIRED, PublishedTraining


@dataclass
class ModelKwargs:
    """The frozen encoder; the two inner sections go to its constructor as they are."""

    checkpoint: str = setting(REQUIRED, "the pretrained encoder", path=True)
    module_name: str = setting(REQUIRED, "module that builds the encoder")
    pretrain_kwargs: dict[str, Any] = setting({}, "encoder (and predictor) settings")
    wrapper_kwargs: dict[str, Any] = setting({}, "settings of the wrapper around the encoder")


@dataclass
class Probe:
    """The attentive probe."""

    num_probe_blocks: int = setting(1, "layers of the probe", ge=1)
    num_heads: int = setting(16, "heads of the probe", ge=1)


@dataclass
class AnticipationProbe:
    """The attentive probe of action anticipation."""

    num_probe_blocks: int = setting(1, "layers of the probe", ge=1)
    num_heads: Optional[int] = setting(None, "heads of the probe", ge=1)


@dataclass
class ProbeOptimization:
    """Optimisation; one probe is trained for each entry of `multihead_kwargs`."""

    num_epochs: int = setting(REQUIRED, "epochs to train", ge=1)
    use_bfloat16: Optional[bool] = setting(None, "mixed precision (float16 in the classification probes)")
    multihead_kwargs: list[Any] = setting(REQUIRED, "learning rate and weight decay of each probe")


@dataclass
class AnticipationOptimization(ProbeOptimization):
    """Optimisation of action anticipation."""

    use_focal_loss: bool = setting(False, "focal loss instead of cross entropy")


@dataclass
class LabelledVideos:
    """What the labels are."""

    num_classes: int = setting(REQUIRED, "number of classes", ge=1)


@dataclass
class LabelledImages(LabelledVideos):
    """Which images, and what the labels are."""

    dataset_name: str = setting(REQUIRED, "ImageNet; V-JEPA 1 also takes iNat21 and Places205")
    root_path: Optional[str] = setting(None, "folder of the image datasets", path=True)
    image_folder: Optional[str] = setting(None, "folder under root_path with train/ and val/")


@dataclass
class AnticipationData:
    """Whose actions are anticipated."""

    dataset: str = setting(REQUIRED, "EK100")


@dataclass
class VideoProbe:
    """Sections under `experiment`."""

    classifier: Probe = setting(Probe(), "the probe")
    data: LabelledVideos = setting(LabelledVideos(), "labels")
    optimization: ProbeOptimization = setting(ProbeOptimization(), "optimisation")


@dataclass
class ImageProbe(VideoProbe):
    """Sections under `experiment`."""

    data: LabelledImages = setting(LabelledImages(), "images and labels")


@dataclass
class Anticipation:
    """Sections under `experiment`."""

    classifier: AnticipationProbe = setting(AnticipationProbe(), "the probe")
    data: AnticipationData = setting(AnticipationData(), "actions")
    optimization: AnticipationOptimization = setting(AnticipationOptimization(), "optimisation")


@dataclass
class ProbeTraining(PublishedTraining):
    """What all probes read alike."""

    val_only: bool = setting(False, "measure a trained probe")
    resume_checkpoint: bool = setting(False, "go on from the probe's latest.pt")
    tag: Optional[str] = setting(None, "name of the output folder")
    model_kwargs: ModelKwargs = setting(ModelKwargs(), "the frozen encoder")


@dataclass
class VideoProbeTraining(ProbeTraining):
    """Settings of vjepa2's video classification probe (`eval_name: video_classification_frozen`), with its defaults.

    python launch.py --cfg job training=video_probe
    """

    experiment: VideoProbe = setting(VideoProbe(), "probe, labels, optimisation")


@dataclass
class ImageProbeTraining(ProbeTraining):
    """Settings of vjepa2's image classification probe (`eval_name: image_classification_frozen`), with its defaults.

    python launch.py --cfg job training=image_probe
    """

    experiment: ImageProbe = setting(ImageProbe(), "probe, images, optimisation")


@dataclass
class AnticipationTraining(ProbeTraining):
    """Settings of vjepa2's action anticipation probe (`eval_name: action_anticipation_frozen`), with its defaults.

    python launch.py --cfg job training=anticipation
    """

    experiment: Anticipation = setting(Anticipation(), "probe, actions, optimisation")
