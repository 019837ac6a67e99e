"""Saved places of mixes: both streams go on where they were."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from loading import digests, joined
from mixing import images, loaders_of, mix, videos_csv

from vjepa_pipe.config import ExperimentConfig
from vjepa_pipe.config.image import IMAGE, ImageStreamConfig
from vjepa_pipe.loader import ClipLoader, StateError
from vjepa_pipe.loader.sampler import Place
from vjepa_pipe.loader.state import VERSION
from vjepa_pipe.loader.steps import read_steps
from vjepa_pipe.sampling import SampleKey

__all__ = ["images", "videos_csv"]


def sized(experiment: ExperimentConfig, videos: int, pictures: int) -> ExperimentConfig:
    """The same with other batch sizes."""
    image = experiment.image
    assert isinstance(image, ImageStreamConfig)
    data = replace(experiment.data, batch_size=videos)
    return replace(experiment, data=data, image=replace(image, data=replace(image.data, batch_size=pictures)))


def keys_left(loaders: list[ClipLoader], epochs: int) -> dict[str, list[SampleKey]]:
    """All keys of each stream from where the loaders stand, in their order; nothing is read."""
    found: dict[str, list[SampleKey]] = {}
    place: Any = loaders[0].sampler.next_place
    while place.epoch < epochs:
        for step in zip(*(loader.schedule.batches(*place) for loader in loaders), strict=True):
            for batch in step:
                found.setdefault(loaders[0].dataset.modality_of(batch[0].source), []).extend(batch)
        place = Place(place.epoch + 1, 0)
    return found


def test_a_run_that_was_killed_goes_on_with_the_same_batches(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    """In a loader of its own, with other workers, over the ends of epochs."""
    (loader,) = loaders_of(mix(videos_csv, images, data_num_workers=2), tmp_path, 1)
    states, expected = [loader.state_dict()], []
    for _ in range(2):
        for batch in loader:
            expected += digests([batch])
            states.append(json.loads(json.dumps(loader.state_dict())))
    loader.close()
    assert [state["steps"] for state in states] == list(range(11))
    assert len(set(expected)) == 10
    for step in (3, 5, 8):  # before the images of epoch 0, at its end, and after the images of epoch 1
        (again,) = loaders_of(mix(videos_csv, images), tmp_path, 1)
        again.load_state_dict(states[step])
        found = [digest for _ in range(again.epoch, 2) for digest in digests(again)]
        assert found == expected[step:]
        again.close()


@pytest.mark.parametrize(("share", "convention"), [(0.25, "strict"), (0.3, "strict"), (0.5, "reference")])
def test_a_state_holds_on_other_numbers_of_ranks(
    videos_csv: Path, images: Path, tmp_path: Path, share: float, convention: str
) -> None:
    """The same samples of both streams in the same order, on 1, 2, 4 and 8 ranks with the same or smaller batches."""

    def on(world: int, smaller: int) -> list[ClipLoader]:
        steps = 24 * smaller // world
        experiment = mix(videos_csv, images, share, image_convention=convention, loader_iterations_per_epoch=steps)
        return loaders_of(sized(experiment, 4 // smaller, 8 // smaller), tmp_path, world)

    loaders, states = on(4, 1), []
    for step in (0, 2, 4):  # of 6 in epoch 1
        loaders[0].sampler.go_to(Place(1, step))
        states.append((loaders[0].state_dict(), keys_left(loaders, 3)))
    for world, smaller in [(2, 1), (1, 1), (8, 1), (8, 2)]:
        if (convention, world) == ("reference", 1) or (share, smaller) == (0.3, 2):  # impossible, or not always whole
            continue
        others = on(world, smaller)
        for state, expected in states:
            for loader in others:
                loader.load_state_dict(state)
            assert keys_left(others, 3) == expected


def test_batches_are_the_same_where_they_hold_the_same_clips(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    """Saved on two ranks, resumed on four with batches half as large: joined they are equal bit for bit."""
    experiment = sized(mix(videos_csv, images, 0.5, loader_iterations_per_epoch=3), 2, 4)
    two = loaders_of(experiment, tmp_path, 2)
    whole = [list(loader) for loader in two]
    first = loaders_of(experiment, tmp_path, 2)[1]
    next(iter(first))
    four = loaders_of(sized(experiment, 1, 2), tmp_path, 4)
    for loader in four:
        loader.load_state_dict(first.state_dict())
    parts = [list(loader) for loader in four]
    assert [len(rank) for rank in parts] == [2] * 4
    for stream in (0, 1):  # ranks of videos, and of images
        found = [joined([parts[stream][step], parts[stream + 2][step]]) for step in range(2)]
        assert digests(found) == digests(whole[stream][1:])


@pytest.mark.parametrize(("changes", "named"), [
    ({"share": 0.5}, ["image.share (1/4 saved, 1/2 here)"]),
    ({"image_data_batch_size": 4}, ["image.data.batch_size (3/2 of data.batch_size saved, 2 of data.batch_size here)"]),
    ({"image_data_img_size": 64}, ["image.data.img_size (32 saved, 64 here)"]),
    ({"image_mask_convention": "reference"}, ['image.mask.convention ("strict" saved, "reference" here)']),
    ({"data_target_fps": 5}, ["data.target_fps (10 saved, 5 here)"]),
    ({"image_data_source_names": ["stills"]}, ["source pictures", "source stills"]),
    ({"image_convention": "reference"}, ['image.convention ("strict" saved, "reference" here)']),
])  # fmt: skip
def test_another_mix_is_refused_by_name(
    videos_csv: Path, images: Path, tmp_path: Path, changes: dict[str, Any], named: list[str]
) -> None:
    settings = {"share": 0.25, "data_batch_size": 3, "image_data_batch_size": 3, "loader_iterations_per_epoch": 1}
    if "image_data_batch_size" in changes:
        settings["data_batch_size"] = 2
    saved = loaders_of(mix(videos_csv, images, **settings), tmp_path, 4)[0].state_dict()
    other = loaders_of(mix(videos_csv, images, **settings | changes), tmp_path, 4)[0]
    with pytest.raises(StateError) as error:
        other.load_state_dict(saved)
    differ = str(error.value).partition("these differ: ")[2].partition("; loader.on_change")[0]
    assert differ == ", ".join(named)
    forced = mix(videos_csv, images, **settings | changes, loader_on_change="continue")
    loaders_of(forced, tmp_path, 4)[0].load_state_dict(saved)


def test_videos_alone_have_the_states_that_they_had(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    experiment = replace(mix(videos_csv, images), image=ExperimentConfig().image)
    state = loaders_of(experiment, tmp_path, 1)[0].state_dict()
    assert state["version"] == VERSION == 4 and (state["epoch_size"], state["global_batch_size"]) == (8, 2)
    assert not [name for name in state["fingerprints"] if IMAGE in name]
    with pytest.raises(StateError, match=r"epoch_size \(8 saved, 10 here\).*image\.share \(nothing saved, 1/4 here\)"):
        loaders_of(mix(videos_csv, images), tmp_path, 1)[0].load_state_dict(state)


def test_steps_are_noted_once_and_lead_to_the_same_keys(videos_csv: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "resolved_config.yaml").touch()
    (loader,) = loaders_of(mix(videos_csv, images), tmp_path, 1)
    batches = [batch for _ in range(2) for batch in loader]
    (segment,) = read_steps(tmp_path / "steps.jsonl")
    for step, batch in enumerate(batches, 1):
        assert loader.schedule.keys(*segment.place(step)) == batch["key"]
    (again,) = loaders_of(mix(videos_csv, images), tmp_path, 1)
    again.load_state_dict(loader.state_dict())
    list(islice(again, 1))
    assert len(read_steps(tmp_path / "steps.jsonl")) == 1
