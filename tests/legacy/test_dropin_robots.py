"""`init_droid_data`: structure, dtypes and values of a published DROID batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vjepa_pipe import ConfigError, RobotDataset
from vjepa_pipe.legacy import init_droid_data, make_transforms
from vjepa_pipe.robotics import differences, in_camera_frame
from vjepa_pipe.synthetic import write_synthetic_droid

EPISODES = 4
CAMERAS = ["left_mp4_path", "right_mp4_path"]


@pytest.fixture(scope="session")
def trajectories(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of synthetic trajectories, as the published loader reads it."""
    folders = sorted((write_synthetic_droid(cache, EPISODES) / "success").iterdir())
    listed = tmp_path_factory.mktemp("droid") / "list.csv"
    listed.write_text("".join(f"{folder}\n" for folder in folders))
    return listed


def robots(listed: Path, **changes: Any) -> Any:
    """The call of the published trainer, on a small picture."""
    arguments: dict[str, Any] = {
        "data_path": str(listed), "batch_size": 2, "frames_per_clip": 8, "tubelet_size": 1, "fps": 4, "rank": 0,
        "world_size": 1, "camera_views": CAMERAS, "camera_frame": False, "stereo_view": False, "pin_mem": False,
        "transform": make_transforms(False, (0.75, 1.35), (1.777, 1.777), crop_size=64), "num_workers": 0,
        "persistent_workers": False, "collator": torch.utils.data.default_collate, "drop_last": True,
    }  # fmt: skip
    return init_droid_data(**arguments | changes)


def shapes(batch: Any) -> list[tuple[tuple[int, ...], torch.dtype]]:
    return [(tuple(part.shape), part.dtype) for part in batch]


def test_batches_have_the_published_entries(trajectories: Path) -> None:
    loader, sampler = robots(trajectories)
    assert (len(loader), len(sampler)) == (2, EPISODES)
    for batch in loader:
        assert isinstance(batch, list)
        assert shapes(batch) == [
            ((2, 3, 8, 64, 64), torch.float32), ((2, 7, 7), torch.float64), ((2, 8, 7), torch.float64),
            ((2, 8, 6), torch.float64), ((2, 8), torch.int64),
        ]  # fmt: skip
        assert batch[4].diff().unique().tolist() == [15], "a header of 60 fps, asked for 4"


def test_frames_without_transform_and_states_of_every_tubelet(trajectories: Path) -> None:
    batch = next(iter(robots(trajectories, transform=None, tubelet_size=2)[0]))
    assert [shape for shape, _ in shapes(batch)] == [(2, 8, 180, 320, 3), (2, 3, 7), (2, 4, 7), (2, 4, 6), (2, 8)]
    assert batch[0].dtype == torch.uint8


def test_values_are_those_of_the_dataset(trajectories: Path) -> None:
    loader, _ = robots(trajectories)
    assert isinstance(loader.dataset, RobotDataset)
    rows = set()
    for number, batch in enumerate(loader):
        for place in range(2):
            key = loader.schedule.order.at(2 * number + place)
            sample = loader.dataset[key]
            for part, name in zip(batch, ("video", "actions", "states", "extrinsics", "indices"), strict=True):
                assert torch.equal(part[place], sample[name]), name
            assert np.array_equal(sample["actions"], differences(sample["states"].numpy()))
            rows.add(key.row)
    assert rows == set(range(EPISODES)), "every trajectory once per epoch"


def test_camera_frame(trajectories: Path) -> None:
    plain, seen = (next(iter(robots(trajectories, camera_frame=flag)[0])) for flag in (False, True))
    expected = in_camera_frame(plain[2][0].numpy(), plain[3][0].numpy())
    assert np.array_equal(seen[2][0], expected)
    assert np.array_equal(seen[1][0], differences(expected))


def test_ranks_workers_and_epochs(trajectories: Path) -> None:
    whole = torch.cat([batch[2] for batch in robots(trajectories)[0]])
    ranks = [list(robots(trajectories, batch_size=1, rank=rank, world_size=2, num_workers=1)[0]) for rank in (0, 1)]
    parts = torch.stack([torch.cat([batch[2] for batch in part]) for part in ranks], dim=1).flatten(0, 1)
    assert torch.equal(parts.sort(dim=0).values, whole.sort(dim=0).values)
    loader, sampler = robots(trajectories)
    sampler.set_epoch(1)
    assert not torch.equal(
        torch.cat([batch[4] for batch in loader]), torch.cat([b[4] for b in robots(trajectories)[0]])
    )


def test_a_collator_gets_published_samples(trajectories: Path) -> None:
    (video, *numbers), _ = next(iter(robots(trajectories, collator=list)[0]))
    assert isinstance(video, torch.Tensor)
    assert [(type(part), part.dtype) for part in numbers] == [(np.ndarray, np.float64)] * 3 + [(np.ndarray, np.int64)]


@pytest.mark.parametrize("views", [0, [], "left_mp4_path"])
def test_no_camera_is_an_error_not_a_hang(trajectories: Path, views: Any) -> None:
    with pytest.raises(ConfigError, match="camera_views must be a list of the metadata's camera keys"):
        robots(trajectories, camera_views=views)


def test_more_than_there_is(trajectories: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size=8 on 1 rank is more than all 4 samples"):
        robots(trajectories, batch_size=8)
