"""Sections of V-JEPA 1 that are not data (jepa `app/vjepa/train.py`, `evals/*/eval.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vjepa_pipe.config.fields import setting
from vjepa_pipe.config.training.base import REQUIRED, PublishedTraining
from vjepa_pipe.config.training.evals import LabelledImages, LabelledVideos
from vjepa_pipe.config.training.sections import LossConfig, MetaConfig, ScheduleConfig


@dataclass
class JepaMeta(MetaConfig):
    """Checkpoints, precision and the like."""

    load_checkpoint: Optional[bool] = setting(None, "load a checkpoint at the start")
    read_checkpoint: Optional[str] = setting(None, "the checkpoint's name in `logging.folder`")


@dataclass
class JepaModel:
    """Encoder and predictor; two defaults differ from V-JEPA 2."""

    model_name: str = setting(REQUIRED, "encoder, such as vit_large")
    pred_depth: int = setting(REQUIRED, "layers of the predictor", ge=1)
    pred_embed_dim: int = setting(REQUIRED, "width of the predictor", ge=1)
    uniform_power: bool = setting(True, "equal share of the position embedding for time, height and width")
    use_mask_tokens: bool = setting(True, "learned mask tokens in the predictor")
    zero_init_mask_tokens: bool = setting(True, "mask tokens start at zero")


@dataclass
class JepaLoss(LossConfig):
    """The prediction loss."""

    reg_coeff: float = setting(REQUIRED, "weight of the variance regularisation", ge=0)


@dataclass
class JepaOptimization(ScheduleConfig):
    """Optimisation; iterations per epoch are `loader.iterations_per_epoch`."""

    ipe_scale: float = setting(1.0, "stretches the schedules beyond the run", gt=0)
    clip_grad: Optional[float] = setting(None, "largest norm of the gradient, after warm-up", gt=0)
    ema: list[float] = setting(REQUIRED, "momentum of the target encoder: first, last")


@dataclass
class JepaLogging:
    """Where a run's files go."""

    folder: str = setting(REQUIRED, "folder of logs and checkpoints", path=True)
    write_tag: str = setting(REQUIRED, "first part of the files' names")


@dataclass
class JepaTraining(PublishedTraining):
    """Settings of V-JEPA 1's pretraining (`app: vjepa`), with its defaults.

    python launch.py --cfg job training=vjepa_v1
    """

    meta: JepaMeta = setting(JepaMeta(), "checkpoints and precision")
    model: JepaModel = setting(JepaModel(), "encoder and predictor")
    loss: JepaLoss = setting(JepaLoss(), "loss")
    optimization: JepaOptimization = setting(JepaOptimization(), "optimisation")
    logging: JepaLogging = setting(JepaLogging(), "output files")


@dataclass
class V1Pretrain:
    """The frozen encoder."""

    model_name: str = setting(REQUIRED, "encoder, such as vit_large")
    folder: str = setting(REQUIRED, "folder of the checkpoint", path=True)
    checkpoint: str = setting(REQUIRED, "file name of the checkpoint")
    checkpoint_key: str = setting("target_encoder", "name of the encoder in the checkpoint")
    write_tag: Optional[str] = setting(None, "tag of the pretraining run")
    patch_size: Optional[int] = setting(None, "side of a token in pixels", ge=1)
    tubelet_size: int = setting(2, "frames per token", ge=1)
    frames_per_clip: int = setting(1, "frames the encoder was trained on", ge=1)
    uniform_power: bool = setting(False, "equal share of the position embedding for time, height and width")
    use_sdpa: bool = setting(True, "fused attention")


@dataclass
class V1ProbeOptimization:
    """Optimisation of the one probe."""

    num_epochs: int = setting(REQUIRED, "epochs to train", ge=1)
    warmup: float = setting(REQUIRED, "epochs of warm-up", ge=0)
    weight_decay: float = setting(REQUIRED, "weight decay", ge=0)
    start_lr: float = setting(REQUIRED, "learning rate at the start", ge=0)
    lr: float = setting(REQUIRED, "learning rate after warm-up", ge=0)
    final_lr: float = setting(REQUIRED, "learning rate at the end", ge=0)
    use_bfloat16: Optional[bool] = setting(None, "mixed precision")


@dataclass
class V1VideoOptimization(V1ProbeOptimization):
    """Optimisation of the video probe."""

    attend_across_segments: bool = setting(False, "one probe over the tokens of all segments")


@dataclass
class V1ProbeTraining(PublishedTraining):
    """What both V-JEPA 1 probes read alike."""

    resume_checkpoint: bool = setting(False, "go on from the probe's checkpoint")
    tag: Optional[str] = setting(None, "name of the output folder")
    pretrain: V1Pretrain = setting(V1Pretrain(), "the frozen encoder")


@dataclass
class V1VideoProbeTraining(V1ProbeTraining):
    """Settings of V-JEPA 1's video classification probe, with its defaults.

    Its files say `eval_name: video_classification_frozen`.

    python launch.py --cfg job training=video_probe_v1
    """

    data: LabelledVideos = setting(LabelledVideos(), "labels")
    optimization: V1VideoOptimization = setting(V1VideoOptimization(), "optimisation")


@dataclass
class V1ImageProbeTraining(V1ProbeTraining):
    """Settings of V-JEPA 1's image classification probe, with its defaults.

    Its files say `eval_name: image_classification_frozen`.

    python launch.py --cfg job training=image_probe_v1
    """

    data: LabelledImages = setting(LabelledImages(), "images and labels")
    optimization: V1ProbeOptimization = setting(V1ProbeOptimization(), "optimisation")
