"""Small mixes of videos and images for the tests of loading."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vjepa_pipe import DataConfig, DataManager
from vjepa_pipe.config import ExperimentConfig, LoaderConfig
from vjepa_pipe.config.image import ImageStreamConfig
from vjepa_pipe.config.mask import MultiBlock3DMaskConfig, MultiBlockConfig
from vjepa_pipe.loader import ClipLoader
from vjepa_pipe.synthetic import write_synthetic_videos


@pytest.fixture(scope="module")
def videos_csv(cache: Path) -> Path:
    """An annotation file of eight small videos."""
    return write_synthetic_videos(cache, 8, small=True)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An annotation file of six small pictures."""
    return write_images(tmp_path_factory.mktemp("images"))


def write_images(folder: Path, count: int = 6) -> Path:
    """An annotation file of small pictures, each with its number as label."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    lines = []
    for i in range(count):
        Image.fromarray(rng.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        lines.append(f"{folder / f'{i}.png'} {i}\n")
    (folder / "pictures.csv").write_text("".join(lines))
    return folder / "pictures.csv"


def mix(videos: Path, images: Path, share: float = 0.25, **changes: Any) -> ExperimentConfig:
    """Videos of 4 frames in batches of 2, images in batches of 3, both with masks.

    Args:
        videos: Annotation file.
        images: Annotation file.
        share: Of the batches, which hold images.
        **changes: `data_NAME`, `mask_NAME`, `image_NAME`, `image_data_NAME`, `image_mask_NAME` and `loader_NAME`.
    """

    def of(prefix: str, *longer: str) -> dict[str, Any]:
        return {
            name.removeprefix(prefix): value
            for name, value in changes.items()
            if name.startswith(prefix) and not name.startswith(longer or ("none",))
        }

    data = {"data_paths": [str(videos)], "frames_per_clip": 4, "batch_size": 2}
    pictures = {"data_paths": [str(images)], "frames_per_clip": 1, "batch_size": 3}
    small = {"img_size": 32, "num_workers": 0}
    blocks = {"few": MultiBlockConfig(spatial_scale=(0.15, 0.3), num_blocks=2)}
    mask = MultiBlock3DMaskConfig(patch_size=8, masks=blocks)
    image = ImageStreamConfig(
        data=DataConfig(**pictures | small | of("image_data_")),
        mask=replace(mask, tubelet_size=1, **of("image_mask_")),
        share=share,
        **of("image_", "image_data_", "image_mask_"),
    )
    return ExperimentConfig(
        data=DataConfig(**data | small | of("data_")),
        mask=replace(mask, **of("mask_")),
        image=image,
        loader=LoaderConfig(**of("loader_")),
    )


def loaders_of(experiment: ExperimentConfig, folder: Path, world: int) -> list[ClipLoader]:
    """The train loader of each rank."""
    return [DataManager(experiment, rank, world, output_dir=folder).build_train_loader() for rank in range(world)]
