"""Our loader behind the published calls: nesting, dtypes, order, epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from published_files import BLOCKS, LONG

from vjepa_pipe import ConfigError
from vjepa_pipe.legacy import MaskCollator, init_data, make_transforms
from vjepa_pipe.legacy.dropin.samples import PublishedSample


def pretraining(csv: Path, **changes: Any) -> Any:
    arguments: dict[str, Any] = {
        "data": "VideoDataset", "root_path": [str(csv), str(csv)], "batch_size": 4, "dataset_fpcs": [8, 4], "fps": 4,
        "transform": make_transforms(crop_size=64), "rank": 0, "world_size": 1, "datasets_weights": [0.5, 0.5],
        "collator": MaskCollator([BLOCKS, LONG], [8, 4], 64, 16, 2), "num_workers": 0, "pin_mem": False,
    }  # fmt: skip
    return init_data(**arguments | changes)


def test_batches_have_the_published_nesting(videos_csv: Path) -> None:
    loader, sampler = pretraining(videos_csv)
    assert (len(loader), len(sampler)) == (4, 16)
    seen = set()
    for batch in loader:
        for udata, masks_enc, masks_pred in batch:
            clips, labels, indices = udata
            size, length = indices[0].size()
            seen.add(length)
            assert clips[0].shape == (size, 3, length, 64, 64) and clips[0].dtype == torch.float32
            assert labels.dtype == indices[0].dtype == torch.int64
            assert len(masks_enc) == len(masks_pred) == 2
            for enc, pred in zip(masks_enc, masks_pred, strict=True):
                assert enc.dtype == pred.dtype == torch.int64 and len(enc) == len(pred) == size
                assert enc.max() < length // 2 * 16
        assert sum(len(udata[1]) for udata, _, _ in batch) == 4
    assert seen == {4, 8}


def test_workers_of_every_start_change_nothing(videos_csv: Path) -> None:
    """Published trainers ask for spawned workers; what is sent to them must be picklable."""
    here = [batch for batch in pretraining(videos_csv)[0]]
    before = torch.multiprocessing.get_start_method(allow_none=True)
    torch.multiprocessing.set_start_method("spawn", force=True)
    try:
        there = [batch for batch in pretraining(videos_csv, num_workers=1)[0]]
    finally:
        torch.multiprocessing.set_start_method(before, force=True)
    for ours, theirs in zip(here, there, strict=True):
        for (u1, e1, p1), (u2, e2, p2) in zip(ours, theirs, strict=True):
            assert torch.equal(u1[0][0], u2[0][0])
            assert all(torch.equal(a, b) for a, b in zip([*e1, *p1], [*e2, *p2], strict=True))


def test_ranks_share_an_epoch_and_block_sizes(videos_csv: Path) -> None:
    whole = pretraining(videos_csv, batch_size=4)[0]
    parts = [pretraining(videos_csv, batch_size=2, rank=rank, world_size=2)[0] for rank in (0, 1)]
    for one, *others in zip(whole, *parts, strict=True):
        indices = sorted(str(i.tolist()) for udata, _, _ in one for i in udata[2][0])
        assert indices == sorted(str(i.tolist()) for part in others for udata, _, _ in part for i in udata[2][0])


def test_image_ranks_of_v_jepa_2_1(tmp_path: Path) -> None:
    """What its trainer asks for where a rank has images; its loop names the epoch again when the batches run out."""
    rows = [tmp_path / f"{i}.{('jpg', 'png', 'jpeg')[i % 3]}" for i in range(9)]
    for i, file in enumerate(rows):
        Image.fromarray(np.full((40 + i, 60, 3), 20 * i, np.uint8)).save(file)
    (tmp_path / "images.csv").write_text("".join(f"{file} {i}\n" for i, file in enumerate(rows)))
    drawn = []
    for rank in (0, 1):
        loader, sampler = pretraining(
            tmp_path / "images.csv", root_path=[str(tmp_path / "images.csv")], dataset_fpcs=[1], batch_size=2,
            datasets_weights=[], rank=rank, world_size=2, collator=MaskCollator([BLOCKS], [1], 64, 16, 1),
        )  # fmt: skip
        sampler.set_epoch(0)
        batches, labels = iter(loader), []
        for _ in range(2 * len(loader)):
            try:
                batch = next(batches)
            except StopIteration:
                sampler.set_epoch(0)
                batches = iter(loader)
                batch = next(batches)
            ((((clips,), seen, (indices,)), masks_enc, masks_pred),) = batch
            assert clips.shape == (2, 3, 1, 64, 64) and indices.tolist() == [[0], [0]]
            assert max(masks_enc[0].max(), masks_pred[0].max()) < 16
            labels += seen.tolist()
        drawn.append(labels)
    assert len({*drawn[0][:4], *drawn[1][:4]}) == 8, "an epoch has no image twice"
    assert {*drawn[0][4:], *drawn[1][4:]} != {*drawn[0][:4], *drawn[1][:4]}, "the next one does not start over"


def test_an_epoch_named_again_goes_on(videos_csv: Path) -> None:
    loader, sampler = pretraining(videos_csv)
    sampler.set_epoch(3)
    first = [batch[0][0][2][0].tolist() for batch in loader]
    sampler.set_epoch(3)
    again = [batch[0][0][2][0].tolist() for batch in loader]
    assert loader.epoch == 5
    assert first != again
    fresh, other = pretraining(videos_csv)
    other.set_epoch(3)
    assert [batch[0][0][2][0].tolist() for batch in fresh] == first


def test_probe_form_with_segments_and_views(videos_csv: Path) -> None:
    def two_views(frames: np.ndarray[Any, Any]) -> list[torch.Tensor]:
        clip = torch.from_numpy(frames[:, :32, :32]).permute(3, 0, 1, 2).float()
        return [clip, clip + 1]

    loader, _ = init_data(
        4, two_views, data="videodataset", root_path=[str(videos_csv)], clip_len=4, frame_sample_rate=2, num_clips=3,
        allow_clip_overlap=True, num_workers=0, pin_mem=False,
    )  # fmt: skip
    clips, labels, indices = next(iter(loader))
    assert (len(clips), len(clips[0]), len(indices)) == (3, 2, 3)
    assert clips[0][0].shape == (4, 3, 4, 32, 32) and torch.equal(clips[2][1], clips[2][0] + 1)
    assert (labels.shape, indices[0].shape) == ((4,), (4, 4))


def test_mask_collator_serves_another_dataset() -> None:
    """Samples without keys: a plain tuple, as the published dataset gives."""
    collate = MaskCollator([BLOCKS], [4], (64, 64), (16, 16))
    samples = [([torch.zeros(3, 4, 64, 64)], i, [np.arange(4)]) for i in range(3)]
    ((udata, masks_enc, _),) = collate(samples)
    assert udata[0][0].shape == (3, 3, 4, 64, 64) and masks_enc[0].shape[0] == 3
    collate.step()
    with pytest.raises(KeyError):
        collate([([torch.zeros(1)], 0, [np.arange(5)])])
    assert not isinstance(samples[0], PublishedSample)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "ImageNet"}, "data='ImageNet' is not offered"),
        ({"frame_sample_rate": 4}, "one of fps, duration and frame_sample_rate"),
        ({"fps": None}, "one of fps, duration and frame_sample_rate"),
        ({"datasets_weights": [1.0]}, "datasets_weights must have 2 values, one for each file"),
        ({"deterministic": False}, "deterministic=False is not offered"),
        ({"shared_transform": print}, "shared_transform"),
        ({"batch_size": 64}, "more than all 16 samples"),
    ],
)
def test_what_is_not_offered_is_refused(videos_csv: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        pretraining(videos_csv, **changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([{"num_blocks": 1}], [8]), r"cfgs_mask\[0\] must be given"),
        (([BLOCKS | {"x": 1}], [8]), r"cfgs_mask\[0\].x is not a key"),
        (([BLOCKS], [8], 64, (16, 8)), r"patch_size must be one number, or twice the same \(got \(16, 8\)\)"),
    ],
)
def test_wrong_mask_entries(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MaskCollator(*arguments)


def test_masks_of_clips_that_are_not_square() -> None:
    """As published where `crop_size` is a tuple: rows and columns of tokens are counted apart."""
    collator = MaskCollator([BLOCKS], [4], (32, 64))
    ((_, (seen,), (asked,)),) = collator([([torch.zeros(3, 4, 32, 64)], 0, [np.arange(4)]) for _ in range(3)])
    assert min(seen.min(), asked.min()) >= 0 and max(seen.max(), asked.max()) < 2 * 2 * 4
    assert max(seen.max(), asked.max()) >= 2 * 2 * 2
    assert not set(seen[0].tolist()) & set(asked[0].tolist())
    with pytest.raises(ValueError, match=r"img_size must be one number or \[height, width\] \(got \(64, 64, 64\)\)"):
        MaskCollator([BLOCKS], [4], (64, 64, 64))
