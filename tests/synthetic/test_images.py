"""Synthetic stills: their kind is the label, the same every time, read by whatever reads images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vjepa_pipe import ConfigError, compose
from vjepa_pipe.config.image import image_experiment
from vjepa_pipe.datasets import annotation_files
from vjepa_pipe.synthetic import write_synthetic_images


def test_images_and_their_list(tmp_path: Path) -> None:
    listed = write_synthetic_images(tmp_path / "one", 4)
    rows = [line.split() for line in listed.read_text().splitlines()]
    assert rows == [["00000_circle.jpg", "0"], ["00001_square.png", "1"], ["00002_triangle.jpg", "2"],
                    ["00003_circle.png", "0"]]  # fmt: skip
    more = write_synthetic_images(tmp_path / "two", 5)
    for name, _ in rows:
        pixels, again = (np.asarray(Image.open(folder.parent / name)) for folder in (listed, more))
        assert pixels.shape[2] == 3 and pixels.std() > 10
        assert (pixels == again).all(), "image i does not depend on how many there are"
    stamp = listed.stat().st_mtime_ns
    assert write_synthetic_images(tmp_path / "one", 4).stat().st_mtime_ns == stamp


def test_arguments_out_of_range(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"num_images must be >= 1 \(got 0\)"):
        write_synthetic_images(tmp_path, 0)
    with pytest.raises(ValueError, match=r"seed must be >= 0 \(got -1\)"):
        write_synthetic_images(tmp_path, 1, seed=-1)


@pytest.mark.parametrize(
    ("choices", "setting"),
    [
        (["data=synthetic"], "data.cache_dir"),
        (["data=synthetic_robot", "robotics=droid", "data_aug=robotics"], "data.cache_dir"),
        (["data=csv", "data.data_paths=[x]", "image=synthetic"], "image.data.cache_dir"),
    ],
)
def test_a_folder_that_cannot_be_made_is_a_config_error(choices: list[str], setting: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = compose([*choices, f"{setting}={tmp_path}/file/folder"])
    images = image_experiment(data)
    with pytest.raises(ConfigError, match=rf"data\.cache_dir: {tmp_path}/file/folder cannot be written: Not a dir"):
        annotation_files(data.data if images is None else images.data)
