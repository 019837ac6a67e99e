"""One key to one sample: the row, the clip and the tensor, joined."""

from vjepa_pipe.datasets.bad import BadSample, SampleSkipped, TooManyBadSamples
from vjepa_pipe.datasets.caption_tokens import CaptionTokens
from vjepa_pipe.datasets.captioned import CaptionedDataset, build_video_dataset
from vjepa_pipe.datasets.files import annotation_files
from vjepa_pipe.datasets.keyed import KeyedDataset, Source
from vjepa_pipe.datasets.map_style import MapStyleDataset
from vjepa_pipe.datasets.mixed import MixedDataset
from vjepa_pipe.datasets.robot import RobotClip, RobotDataset
from vjepa_pipe.datasets.stats import SampleStats
from vjepa_pipe.datasets.video import Clip, VideoDataset

__all__ = [
    "BadSample",
    "CaptionTokens",
    "CaptionedDataset",
    "Clip",
    "KeyedDataset",
    "MapStyleDataset",
    "MixedDataset",
    "RobotClip",
    "RobotDataset",
    "SampleSkipped",
    "SampleStats",
    "Source",
    "TooManyBadSamples",
    "VideoDataset",
    "annotation_files",
    "build_video_dataset",
]
