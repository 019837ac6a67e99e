"""One key to one sample: the row, the clip and the tensor, joined."""

from vjepa_pipe.datasets.files import annotation_files
from vjepa_pipe.datasets.video import BadSample, Clip, TooManyBadSamples, VideoDataset

__all__ = ["BadSample", "Clip", "TooManyBadSamples", "VideoDataset", "annotation_files"]
