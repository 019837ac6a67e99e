"""Pictures of batches: frames in their proportions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loading import tiny
from PIL import Image

from vjepa_pipe import DataManager
from vjepa_pipe.report.preview import CAPTION, FRAMES, GAP, LABEL_WIDTH, MARGIN, TILE, displayable, draw_preview


@pytest.mark.parametrize(("size", "tile"), [("64", (TILE, TILE)), ("[32,128]", (256, 64)), ("[64,16]", (64, 256))])
def test_frames_keep_their_proportions(videos_csv: Path, size: str, tile: tuple[int, int]) -> None:
    manager = DataManager(tiny(videos_csv, f"data.img_size={size}", "mask=tube", "mask.masks.tube.ratio=0.5"))
    batch = next(iter(manager.build_train_loader()))
    picture = draw_preview(manager, manager.build_train_dataset(), batch, clips=1)
    (width, height), left, top = tile, MARGIN + LABEL_WIDTH, MARGIN + CAPTION + CAPTION
    assert picture.size == (2 * MARGIN + LABEL_WIDTH + FRAMES * (width + GAP), top + 2 * (height + GAP) + 2 * MARGIN)
    frames = displayable(batch["video"][0], manager.config)
    for number in (0, 3):
        x = left + number * (width + GAP)
        drawn = np.asarray(picture.crop((x, top, x + width, top + height)))
        assert np.array_equal(drawn, Image.fromarray(frames[number]).resize(tile, Image.Resampling.LANCZOS))
