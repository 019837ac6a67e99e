"""What a trainer reads and the data pipeline does not: group `training/`. `task=external` hands it on whole.

Keys, sections and defaults are those of the published trainers, so that a published YAML file keeps its meaning.
"""

from vjepa_pipe.config.training.base import PublishedTraining, TrainingConfig
from vjepa_pipe.config.training.droid import DroidTraining
from vjepa_pipe.config.training.evals import AnticipationTraining, ImageProbeTraining, VideoProbeTraining
from vjepa_pipe.config.training.v1 import JepaTraining, V1ImageProbeTraining, V1VideoProbeTraining
from vjepa_pipe.config.training.vjepa import VJepaTraining
from vjepa_pipe.config.training.vjepa_2_1 import VJepa21Training

__all__ = [
    "AnticipationTraining",
    "DroidTraining",
    "ImageProbeTraining",
    "JepaTraining",
    "PublishedTraining",
    "TrainingConfig",
    "V1ImageProbeTraining",
    "V1VideoProbeTraining",
    "VJepa21Training",
    "VJepaTraining",
    "VideoProbeTraining",
]
