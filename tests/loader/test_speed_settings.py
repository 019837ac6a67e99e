"""Settings that change how batches travel change no value in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchcodec_extra import needs_torchcodec

from vjepa_pipe import AugConfig, DataConfig, DataManager, compose
from vjepa_pipe.config import ConfigError, ExperimentConfig, LoaderConfig
from vjepa_pipe.loader import device_prefetch
from vjepa_pipe.loader.batch_memory import BatchMemory, batch_of
from vjepa_pipe.loader.collate import stack
from vjepa_pipe.transforms import Normalize, next_clip_at
from vjepa_pipe.transforms.memory import new_clip


def experiment(csv: Path, workers: int = 0, output: str = "float32", **aug: object) -> ExperimentConfig:
    data = DataConfig(
        data_paths=[str(csv)], img_size=32, frames_per_clip=4, batch_size=2, num_workers=workers, target_fps=5
    )
    return ExperimentConfig(data=data, data_aug=AugConfig(**aug), loader=LoaderConfig(output=output))  # type: ignore[arg-type]


def videos(config: ExperimentConfig) -> list[torch.Tensor]:
    return [batch["video"].clone() for batch in DataManager(config).build_train_loader()]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("decoder", ["DecordDecoder", pytest.param("TorchcodecDecoder", marks=needs_torchcodec)])
def test_every_decoder_gives_the_same_batches(videos_csv: Path, decoder: str, workers: int) -> None:
    config = experiment(videos_csv, workers)
    expected = videos(config)
    config.decoder._target_ = f"vjepa_pipe.video.{decoder}"
    assert all(torch.equal(a, b) for a, b in zip(expected, videos(config), strict=True))


def test_batches_written_in_place_are_the_stacked_samples(videos_csv: Path) -> None:
    manager = DataManager(experiment(videos_csv))
    dataset = manager.build_train_dataset()
    batches = list(manager.build_train_loader())
    assert len(batches) == 4
    for batch in batches:
        assert torch.equal(batch["video"], torch.stack([dataset[key]["video"] for key in batch["key"]]))
    assert len({batch["video"].data_ptr() for batch in batches}) == 4  # none is written over


def test_uint8_batches_normalised_on_the_device(videos_csv: Path) -> None:
    whole = list(DataManager(experiment(videos_csv, 2, "uint8")).build_train_loader())
    assert {batch["video"].dtype for batch in whole} == {torch.uint8}
    normalize = Normalize(AugConfig().normalize_mean, AugConfig().normalize_std)
    arrived = list(device_prefetch(whole, "cpu"))
    for before, after, floats in zip(whole, arrived, videos(experiment(videos_csv)), strict=True):
        assert torch.equal(after["video"], normalize.apply(before["video"].float()))
        grey_level = 1 / (255 * min(AugConfig().normalize_std))
        assert (after["video"] - floats).abs().max() <= grey_level / 2 + 1e-4
        assert after["key"] == before["key"] and torch.equal(after["label"], before["label"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_prefetch_to_a_gpu(videos_csv: Path) -> None:
    manager = DataManager(experiment(videos_csv, output="uint8"))
    on_cpu = [batch["video"] for batch in device_prefetch(manager.build_train_loader(), "cpu")]
    on_gpu = [batch["video"].cpu() for batch in device_prefetch(manager.build_train_loader(), "cuda")]
    for one, other in zip(on_cpu, on_gpu, strict=True):
        torch.testing.assert_close(one, other)


def test_lists_of_batches_are_moved_too() -> None:
    group = {"video": torch.zeros(1, 3, 2, 4, 4, dtype=torch.uint8), "masks_enc": [torch.ones(1, 2)], "source": ["a"]}
    (moved,) = device_prefetch([[group]], "cpu")
    assert moved[0]["video"].dtype == torch.float32 and moved[0]["source"] == ["a"]
    assert torch.equal(moved[0]["masks_enc"][0], torch.ones(1, 2))


def test_fast_precision_stays_within_a_grey_level(videos_csv: Path) -> None:
    grey_level = 1 / (255 * min(AugConfig().normalize_std))
    pairs = zip(videos(experiment(videos_csv)), videos(experiment(videos_csv, precision="fast")), strict=True)
    differences = [(one - other).abs().max() for one, other in pairs]
    assert 0 < max(differences) <= grey_level * 1.001


def test_noise_does_not_fit_into_bytes(videos_csv: Path) -> None:
    with pytest.raises(ConfigError, match=r"data_aug.random_erasing must be 0 with loader.output=uint8"):
        compose(["loader.output=uint8", "data_aug.random_erasing=0.25"])


def test_a_place_is_given_once_and_only_to_what_fits() -> None:
    place = torch.zeros(3, 2, 4, 4)
    with next_clip_at(place):
        assert new_clip((3, 2, 4, 5), torch.float32) is not place
        assert new_clip((3, 2, 4, 4), torch.uint8) is not place
        assert new_clip((3, 2, 4, 4), torch.float32) is place
        assert new_clip((3, 2, 4, 4), torch.float32) is not place
    assert new_clip((3, 2, 4, 4), torch.float32) is not place


def test_only_a_whole_batch_in_order_is_taken_as_it_stands() -> None:
    memory = BatchMemory()
    with memory.laid_out(3, "video") as places:
        assert places == [None] * 3
    memory.learn([{"video": torch.zeros(2, 2)}] * 3, "video")
    with memory.laid_out(3, "video") as places:
        assert batch_of(places) is not None and batch_of(places).shape == (3, 2, 2)  # type: ignore[arg-type,union-attr]
        for clips in (places[:2], places[::-1], [*places[:2], torch.zeros(2, 2)], [place.t() for place in places]):
            assert batch_of(clips) is None  # type: ignore[arg-type]
        assert batch_of(list(torch.zeros(3, 2, 2))) is None, "views of somebody else's tensor"
    assert batch_of(places) is None, "those of an earlier batch"  # type: ignore[arg-type]
    memory.learn([{"video": torch.zeros(2, 2)}, {"video": torch.zeros(2, 3)}], "video")
    with memory.laid_out(2, "video") as places:
        assert places == [None] * 2


def test_a_tensor_that_a_transform_keeps_is_never_the_batch() -> None:
    kept = torch.zeros(2, 3)
    stacked = stack(list(kept))
    assert torch.equal(stacked, kept) and stacked.data_ptr() != kept.data_ptr()


def threads_of_collating(samples: list[dict]) -> int:
    return torch.get_num_threads()


def broken(samples: list[dict]) -> None:
    raise KeyError("broken")


def test_reading_in_this_process_computes_with_one_thread(videos_csv: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        batches = iter(DataManager(experiment(videos_csv)).build_train_loader(threads_of_collating))
        assert next(batches) == 1 and torch.get_num_threads() == 3
        with pytest.raises(KeyError, match="broken"):
            next(iter(DataManager(experiment(videos_csv)).build_train_loader(broken)))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
