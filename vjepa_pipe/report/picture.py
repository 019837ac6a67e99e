"""The picture of a batch, whatever its data."""

from __future__ import annotations

from PIL import Image

from vjepa_pipe.datasets import KeyedDataset, RobotDataset
from vjepa_pipe.loader import DataManager
from vjepa_pipe.loader.collate import Batch
from vjepa_pipe.report.preview import BACKGROUND, can_be_drawn, draw_preview
from vjepa_pipe.report.robot_preview import draw_robot_preview


def draw_batch(manager: DataManager, dataset: KeyedDataset, batch: Batch, clips: int) -> Image.Image | None:
    """A picture of the first clips of a batch; None for one that does not say which clip is which."""
    manager = manager.stream_of(batch)
    if isinstance(dataset, RobotDataset):
        return draw_robot_preview(manager, dataset, batch, clips)
    return draw_preview(manager, dataset, batch, clips) if can_be_drawn(batch) else None


def one_below_another(pictures: list[Image.Image]) -> Image.Image:
    """Pictures as one."""
    whole = Image.new("RGB", (max(one.width for one in pictures), sum(one.height for one in pictures)), BACKGROUND)
    top = 0
    for one in pictures:
        whole.paste(one, (0, top))
        top += one.height
    return whole
