"""Which batches of a mix hold images: the arithmetic, without files."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vjepa_pipe import ConfigError, DataConfig
from vjepa_pipe.config.epoch import exact_share
from vjepa_pipe.config.image import IMAGE, VIDEO, ImageStreamConfig
from vjepa_pipe.loader.mixed_schedule import MixedSchedule, StreamSchedule
from vjepa_pipe.loader.schedule import with_turns
from vjepa_pipe.loader.slots import ReferenceSlots, Slots, StrictSlots, slots_of, video_batch_size
from vjepa_pipe.loader.state import VERSION, LoaderState, StateError
from vjepa_pipe.sampling import SampleKey, SampleOrder

SHARES = st.fractions(Fraction(1, 40), Fraction(39, 40), max_denominator=40)
WORLDS = st.integers(1, 24)
ANY_SLOTS = st.one_of(
    st.builds(StrictSlots, WORLDS, SHARES),
    st.integers(2, 24).flatmap(lambda world: st.builds(ReferenceSlots, st.just(world), st.integers(1, world - 1))),
)


@given(ANY_SLOTS, st.integers(0, 10**15))
@settings(max_examples=60)
def test_each_batch_of_each_stream_stands_in_one_slot_in_order(slots: Slots, first: int) -> None:
    found: dict[str, list[int]] = {VIDEO: [], IMAGE: []}
    for slot in range(first, first + 80):
        modality = slots.modality(slot)
        batch = slots.before(modality, slot)
        assert slots.slot_of(modality, batch) == slot
        found[modality].append(batch)
    for modality, batches in found.items():
        start = slots.before(modality, first)
        assert batches == list(range(start, start + len(batches)))
    assert slots.before(VIDEO, 0) == slots.before(IMAGE, 0) == 0


@given(WORLDS, SHARES, st.integers(0, 10**15))
@settings(max_examples=60)
def test_the_ratio_is_exact_at_every_slot(world: int, share: Fraction, slot: int) -> None:
    assert abs(StrictSlots(world, share).before(IMAGE, slot) - slot * share) < 1


@given(WORLDS, SHARES)
@settings(max_examples=60)
def test_a_rank_keeps_its_stream_where_ranks_make_whole_shares(world: int, share: Fraction) -> None:
    slots = StrictSlots(world, share)
    by_step = [[slots.modality(step * world + rank) for rank in range(world)] for step in range(share.denominator)]
    assert slots.fixed == all(one == other for one, other in pairwise(by_step)) == ((world * share).denominator == 1)


@pytest.mark.parametrize(("world", "share", "on_nodes"), [
    (16, "1/4", [2, 2]), (32, "1/2", [4, 4, 4, 4]), (16, "1/8", [1, 1]), (32, "3/32", [0, 1, 1, 1]), (8, "3/8", [3]),
])  # fmt: skip
def test_ranks_of_images_are_spread_over_nodes(world: int, share: str, on_nodes: list[int]) -> None:
    slots = StrictSlots(world, Fraction(share))
    images = [slots.modality(5 * world + rank) == IMAGE for rank in range(world)]
    assert [sum(images[node : node + 8]) for node in range(0, world, 8)] == on_nodes


def test_one_rank_takes_turns() -> None:
    slots = StrictSlots(1, Fraction(2, 5))
    assert [slots.modality(step) == IMAGE for step in range(10)] == [False, False, True, False, True] * 2


@given(st.integers(2, 64), st.floats(0.01, 0.99), st.integers(1, 48), st.integers(0, 1000))
@settings(max_examples=60)
def test_reference_is_the_published_arithmetic(world: int, rank_ratio: float, batch_size: int, step: int) -> None:
    """Ranks, data ranks and batch sizes as vjepa2 `app/vjepa_2_1/train.py` works them out."""
    image = ImageStreamConfig(share=rank_ratio, convention="reference")
    image_ranks = int(world * rank_ratio)
    if image_ranks == 0:
        with pytest.raises(ConfigError, match=r"image\.share=.* is less than one of"):
            slots_of(image, world)
        return
    slots, data = slots_of(image, world), DataConfig(batch_size=batch_size)
    for rank in range(world):
        modality, data_rank, data_world = (
            (IMAGE, rank, image_ranks) if rank < image_ranks else (VIDEO, rank - image_ranks, world - image_ranks)
        )
        slot = step * world + rank
        assert slots.modality(slot) == modality
        assert slots.before(modality, slot) == step * data_world + data_rank
    if batch_size * world % (world - image_ranks):
        with pytest.raises(ConfigError, match=r"which is no whole number: set data\.batch_size=(\d+),") as error:
            video_batch_size(data, slots)
        better = int(str(error.value).rpartition("data.batch_size=")[2].partition(",")[0])
        assert video_batch_size(DataConfig(batch_size=better), slots) * (world - image_ranks) == better * world
    else:
        assert video_batch_size(data, slots) == batch_size * world // (world - image_ranks)


@pytest.mark.parametrize(("world", "share", "said"), [
    (1, 0.25, "less than one of 1 rank, which image.convention=reference gives images alone: set image.convention="
              "strict, or start at least 4 ranks"),
    (3, 0.25, "set image.convention=strict, image.share=0.333334 or more, or start at least 4 ranks"),
])  # fmt: skip
def test_too_few_ranks_say_what_would_do(world: int, share: float, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        slots_of(ImageStreamConfig(share=share, convention="reference"), world)
    assert slots_of(ImageStreamConfig(share=0.333334, convention="reference"), 3).share == Fraction(1, 3)


@pytest.mark.parametrize(("share", "exact"), [(1 / 3, "1/3"), (0.25, "1/4"), (0.07, "7/100")])
def test_shares_are_the_fractions_that_are_meant(share: float, exact: str) -> None:
    assert exact_share(ImageStreamConfig(share=share)) == Fraction(exact)


@pytest.mark.parametrize("share", [1e-12, 1 - 1e-12])
def test_no_share_is_rounded_away(share: float) -> None:
    assert 0 < exact_share(ImageStreamConfig(share=share)) < 1


def schedules(slots: Slots, steps: int, batch_size: int = 2, ratio: int = 3) -> list[MixedSchedule]:
    """Of each rank: two sources of videos, one of images; batches of images are `ratio` times as large."""
    made = {
        VIDEO: StreamSchedule(SampleOrder([1, 1], [9, 5], 14, 0), 14, batch_size, slots, VIDEO),
        IMAGE: StreamSchedule(SampleOrder([1], [10], 10, 1), 10, batch_size * ratio, slots, IMAGE, first_source=2),
    }
    return [MixedSchedule(made, steps, batch_size, rank) for rank in range(slots.world_size)]


def keys_in_order(ranks: list[MixedSchedule], epochs: int) -> dict[bool, list[SampleKey]]:
    """All keys of videos, and of images, step after step and rank after rank."""
    found: dict[bool, list[SampleKey]] = {False: [], True: []}
    for epoch in range(epochs):
        for step in zip(*(rank.batches(epoch) for rank in ranks), strict=True):
            for batch in step:
                assert len({key.source == 2 for key in batch}) == 1
                found[batch[0].source == 2] += batch
    return found


@given(SHARES, st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=25)
def test_both_sequences_are_whole_and_the_same_on_any_number_of_ranks(share: Fraction, world: int, steps: int) -> None:
    found = keys_in_order(schedules(StrictSlots(world, share), steps), 3)
    alone = keys_in_order(schedules(StrictSlots(1, share), steps * world), 3)
    assert found == alone
    for keys in found.values():
        assert [key.position for key in keys] == list(range(len(keys)))  # none is lost where an epoch ends


@given(ANY_SLOTS, st.integers(1, 4))
@settings(max_examples=12)
def test_a_row_is_found_where_it_is_handed_out(slots: Slots, steps: int) -> None:
    ranks = schedules(slots, steps)
    for epoch in range(3):
        seen = {
            (key.source, key.row, batch, one.rank, place)
            for one in ranks
            for batch in range(steps)
            for place, key in enumerate(one.keys(epoch, batch))
        }
        told = {
            (source, row, *found)
            for source, rows in enumerate([9, 5, 10])
            for row in range(rows)
            for found in ranks[0].of_row(source, row, epoch)
        }
        assert told == seen


@given(ANY_SLOTS, st.integers(1, 4))
@settings(max_examples=25)
def test_a_step_of_a_stream_holds_its_batches_on_all_ranks(slots: Slots, steps: int) -> None:
    """So masks are cut to one length over exactly those clips."""
    ranks = schedules(slots, steps)
    for epoch, batch in [(0, 0), (1, steps - 1)]:
        positions: dict[str, list[int]] = {VIDEO: [], IMAGE: []}
        for one in ranks:
            positions[one.stream(epoch, batch).modality] += [key.position for key in one.keys(epoch, batch)]
        for one in ranks:
            stream, whole = one.stream(epoch, batch), one.global_batch(epoch, batch)
            assert positions[stream.modality] == list(range(whole.first, whole.first + whole.size))
            assert {stream.containing(position) for position in positions[stream.modality]} == {whole}
            assert whole.step == epoch * steps + batch


@pytest.mark.parametrize("workers", [2, 3, 4])
@pytest.mark.parametrize("share", ["1/2", "1/4", "2/5"])
def test_workers_share_the_batches_of_each_stream(workers: int, share: str) -> None:
    """Else one of two would read all the videos where batches of videos and images alternate."""
    ranks = schedules(StrictSlots(1, Fraction(share)), 60)
    given: dict[str, list[int]] = {VIDEO: [0] * workers, IMAGE: [0] * workers}
    for turn, keys in with_turns(ranks[0].batches(0), lambda source: IMAGE if source == 2 else VIDEO):
        given[IMAGE if keys[0].source == 2 else VIDEO][turn % workers] += 1
    assert all(max(counts) - min(counts) <= 1 for counts in given.values())
    assert sum(given[VIDEO]) + sum(given[IMAGE]) == 60


def state(schedule: MixedSchedule, epoch: int, batch: int) -> LoaderState:
    size = schedule.global_batch_size
    return LoaderState(VERSION, 0, epoch, batch * size, schedule.epoch_size, size, schedule.world_size, {})


def test_a_place_holds_on_other_ranks_and_batch_sizes() -> None:
    slots = StrictSlots(1, Fraction(1, 4))
    one = schedules(slots, 12)[0]
    two = schedules(StrictSlots(2, Fraction(1, 4)), 6)[0]
    assert two.place_of(state(one, 3, 4)) == (3, 2) and two.place_of(state(one, 3, 12)) == (4, 0)
    with pytest.raises(StateError, match=r"at sample 10 of its epoch .* not at the end of a batch of 4"):
        two.place_of(state(one, 3, 5))
    larger = schedules(slots, 6, batch_size=4)[0]
    assert larger.place_of(state(one, 1, 4)) == (1, 2)  # after 32 samples
    refused = r"2 were in .* with data\.batch_size=2, and 0 are with data\.batch_size=4; .* multiple of 16 samples"
    with pytest.raises(StateError, match=refused):
        larger.place_of(state(one, 0, 6))
