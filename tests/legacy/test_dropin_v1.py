"""V-JEPA 1's calls: signatures, nesting, tubes, what has no effect and what is not offered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published_files import BLOCKS, LONG

from vjepa_pipe import ConfigError
from vjepa_pipe.legacy import MaskCollator as V2MaskCollator
from vjepa_pipe.legacy import init_data as v2_init_data
from vjepa_pipe.legacy.v1 import MultiBlockMaskCollator, TubeMaskCollator, init_data, make_transforms

TUBES = [{"ratio": 0.75}, {"ratio": 0.5}]


def pretraining(csv: Path, **changes: Any) -> Any:
    """As `app/vjepa/train.py` of jepa calls it."""
    arguments: dict[str, Any] = {
        "data": "VideoDataset", "root_path": [str(csv)], "batch_size": 4, "training": True, "clip_len": 4,
        "frame_sample_rate": 2, "filter_short_videos": False, "decode_one_clip": True, "duration": None, "num_clips": 2,
        "transform": make_transforms(crop_size=64), "datasets_weights": None, "num_workers": 0, "world_size": 1,
        "collator": MultiBlockMaskCollator(cfgs_mask=[BLOCKS, LONG], crop_size=64, num_frames=4, patch_size=16,
                                           tubelet_size=2),
        "pin_mem": False, "rank": 0, "log_dir": None,
    }  # fmt: skip
    return init_data(**arguments | changes)


def test_a_batch_is_samples_and_two_lists_of_masks(videos_csv: Path) -> None:
    loader, sampler = pretraining(videos_csv)
    sampler.set_epoch(0)
    for udata, masks_enc, masks_pred in loader:
        clips = torch.cat(list(udata[0]), dim=0)
        assert clips.shape == (8, 3, 4, 64, 64) and clips.dtype == torch.float32
        assert udata[1].dtype == torch.int64 and [i.shape for i in udata[2]] == [(4, 4), (4, 4)]
        assert len(masks_enc) == len(masks_pred) == 2
        assert all(m.dtype == torch.int64 and m.shape[0] == 4 and m.max() < 32 for m in [*masks_enc, *masks_pred])


def test_tubes_hide_the_same_places_in_every_time_step(videos_csv: Path) -> None:
    collator = TubeMaskCollator(cfgs_mask=TUBES, crop_size=64, num_frames=4, patch_size=16, tubelet_size=2)
    loader, _ = pretraining(videos_csv, collator=collator, num_clips=1)
    _, masks_enc, masks_pred = next(iter(loader))
    assert [mask.shape for mask in masks_enc] == [(4, 8), (4, 16)]
    assert [mask.shape for mask in masks_pred] == [(4, 24), (4, 16)]
    for mask in [*masks_enc, *masks_pred]:
        first, second = mask[:, : mask.shape[1] // 2], mask[:, mask.shape[1] // 2 :]
        assert torch.equal(first + 16, second)
    collator.step()
    samples = [([torch.zeros(3, 4, 64, 64)], i, [np.arange(4)]) for i in range(3)]
    assert len(collator(samples)) == 3  # of a dataset of somebody else's


def test_the_clips_are_those_of_v2s_call(videos_csv: Path) -> None:
    (udata, enc, _), *_ = list(pretraining(videos_csv, num_clips=1)[0])
    collator = V2MaskCollator([BLOCKS, LONG], [4], 64, 16, 2)
    v2, _ = v2_init_data(
        4, make_transforms(crop_size=64), data="VideoDataset", collator=collator, num_workers=0, pin_mem=False,
        root_path=[str(videos_csv)], clip_len=4, frame_sample_rate=2,
    )  # fmt: skip
    ((again, enc_again, _),) = next(iter(v2))
    assert torch.equal(udata[0][0], again[0][0]) and torch.equal(enc[1], enc_again[1])


def test_a_duration_wins_over_the_frame_step(videos_csv: Path) -> None:
    short = next(iter(pretraining(videos_csv, duration=0.5, num_clips=1)[0]))[0][2][0]
    step = next(iter(pretraining(videos_csv, num_clips=1)[0]))[0][2][0]
    assert not torch.equal(short, step)


def test_arguments_that_the_published_code_ignores(videos_csv: Path) -> None:
    changes = {"copy_data": True, "tokenize_txt": False, "decode_one_clip": False, "repeat_wds": True, "ipe": 7}
    one, other = (next(iter(pretraining(videos_csv, **more)[0])) for more in ({}, changes))
    assert torch.equal(one[0][0][0], other[0][0][0])


@pytest.mark.parametrize(("make", "message"), [
    (lambda csv: pretraining(csv, data="imagenet"), "data='imagenet' is not offered here"),
    (lambda csv: pretraining(csv, shared_transform=print), "shared_transform"),
    (lambda _: TubeMaskCollator([{"spatial_scale": [1, 1]}]), r"cfgs_mask\[0\]\.spatial_scale is not a key of a mask"),
    (lambda _: MultiBlockMaskCollator([{"ratio": 0.5}]), r"cfgs_mask\[0\]\.ratio is not a key of a mask"),
    (lambda _: MultiBlockMaskCollator([BLOCKS], patch_size=(16, 8)), "patch_size must be one number"),
])  # fmt: skip
def test_what_is_not_offered_is_refused(videos_csv: Path, make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(videos_csv)
