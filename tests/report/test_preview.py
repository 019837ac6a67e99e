"""Pictures of batches: frames in their proportions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loading import tiny
from PIL import Image

from vjepa_pipe import DataManager
from vjepa_pipe.config.mask import mask_names
from vjepa_pipe.report.preview import CAPTION, FRAMES, GAP, LABEL_WIDTH, MARGIN, TILE, displayable, draw_preview


def test_masks_of_another_number_than_the_settings_name(videos_csv: Path) -> None:
    """As a class of the user's may draw them, which stands beside the named masks of the option that was chosen."""
    manager = DataManager(tiny(videos_csv, "mask=blocks", "+mask.masks={a:{num_blocks:1},b:{num_blocks:2}}"))
    batch = next(iter(manager.build_train_loader()))
    both, one = (
        draw_preview(manager, manager.build_train_dataset(), batch | {"masks_enc": batch["masks_enc"][:masks]}, clips=1)
        for masks in (2, 1)
    )
    assert one.height == both.height - TILE - GAP
    assert (mask_names(manager.config.mask, 2), mask_names(manager.config.mask, 1)) == (["a", "b"], ["own"])


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
