from __future__ import annotations

import json
import platform
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vjepa_pipe.transforms import AugmentOp, RandAugment, RandAugmentParams
from vjepa_pipe.transforms.augment_ops import IMAGE_OPS, INCREASING_OPS, PLAIN_OPS, WEIGHTS_0
from vjepa_pipe.transforms.clip_ops import same_as_pillow

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "randaugment_ops.json").read_text())["cases"]
COLOUR = np.load(GOLDEN / "randaugment_ops_colour.npz")
GEOMETRY = np.load(GOLDEN / "randaugment_ops_geometry.npz")
SHAPE = (4, 40, 56, 3)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["key"])
def test_published_operation_on_every_frame(case: dict) -> None:
    image = COLOUR["image"]
    frames = torch.from_numpy(np.stack([image, image]))
    params = RandAugmentParams((AugmentOp(case["op"], case["magnitude"], case["negate"]),))
    expected = (GEOMETRY if case["key"] in GEOMETRY else COLOUR)[case["key"]]
    out = RandAugment().apply(frames, params)
    assert np.array_equal(out[0].numpy(), expected)
    assert np.array_equal(out[1].numpy(), expected)
    assert np.array_equal(frames[0].numpy(), image)


def test_golden_covers_the_increasing_operations() -> None:
    assert {case["op"] for case in CASES} == set(INCREASING_OPS)
    assert len(CASES) == 60


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="Pillow may round otherwise elsewhere")
def test_clips_are_not_left_to_pillow() -> None:
    assert same_as_pillow()


@pytest.mark.parametrize(
    ("name", "level"),
    [("Solarize", 10), ("Color", 5), ("Contrast", 5), ("Brightness", 5), ("Sharpness", 5), ("TranslateXRel", 0)],
)
def test_levels_at_which_an_operation_changes_nothing(name: str, level: float) -> None:
    image = Image.fromarray(COLOUR["image"])
    assert np.array_equal(np.array(IMAGE_OPS[name](image, level, False)), COLOUR["image"])


def test_plain_posterize_keeps_more_bits_at_higher_levels() -> None:
    image = Image.fromarray(COLOUR["image"])
    levels = [len(np.unique(np.array(IMAGE_OPS["Posterize"](image, level, False)))) for level in (0, 2.5, 5, 7.5, 10)]
    assert levels == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("name", sorted(IMAGE_OPS))
@pytest.mark.parametrize("level", [0.0, 10.0])
def test_every_operation_works_at_both_ends_of_the_scale(name: str, level: float) -> None:
    for size in ((56, 40), (1, 1)):
        image = Image.fromarray(COLOUR["image"]).resize(size)
        out = IMAGE_OPS[name](image, level, True)
        assert (out.size, out.mode) == (size, "RGB")


def test_operations_follow_one_another() -> None:
    first, second = AugmentOp("Invert", 5, False), AugmentOp("SolarizeAdd", 7, False)
    frames = torch.from_numpy(COLOUR["image"][None])
    one_by_one = frames
    for op in (first, second):
        one_by_one = RandAugment().apply(one_by_one, RandAugmentParams((op,)))
    assert torch.equal(RandAugment().apply(frames, RandAugmentParams((first, second))), one_by_one)
    assert not torch.equal(RandAugment().apply(frames, RandAugmentParams((second, first))), one_by_one)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("rand", RandAugment(2, 10, 0.0, increasing=False)),
        ("rand-m7-n4-mstd0.5-inc1", RandAugment(4, 7, 0.5, increasing=True)),
        ("rand-n3-m0", RandAugment(3, 0, 0.0, increasing=False)),
        ("rand-m9-mstd1-w0", RandAugment(2, 9, 1.0, increasing=False, weighted=True)),
        ("rand-m9-n2-mstd0.5-inc1", RandAugment(2, 9)),
    ],
)
def test_policy_strings(policy: str, expected: RandAugment) -> None:
    assert RandAugment.from_string(policy) == expected


def test_inc0_leaves_increasing_operations_off() -> None:
    assert not RandAugment.from_string("rand-inc0").increasing


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("augmix-m7", r"must start with 'rand' \(got 'augmix-m7'\)"),
        ("", r"must start with 'rand'"),
        ("rand-m7.5", r"a whole number for m \(got 'm7.5' in 'rand-m7.5'\)"),
        ("rand-m", r"has no part 'm'"),
        ("rand-p0.5", r"has no part 'p0.5'"),
        ("rand-m7-", r"has no part ''"),
        ("rand-m7-m8", r"names m twice"),
        ("rand-m11", r"rand_augment_m must be from 0 to 10 \(got 11\)"),
        ("rand-n0", r"rand_augment_n must be >= 1 \(got 0\)"),
        ("rand-mstd-1", r"has no part 'mstd'"),
        ("rand-inc2", r"inc0 or inc1 \(got inc2"),
        ("rand-w1", r"w0 only \(got w1"),
        ("rand-w0-n14", r"rand_augment_n must be <= 13 with weights"),
    ],
)
def test_wrong_policy_strings_are_refused(policy: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandAugment.from_string(policy)


@pytest.mark.parametrize("wrong", [{"magnitude": 7.5}, {"num_ops": 2.0}, {"num_ops": True}])
def test_fractions_are_refused(wrong: dict) -> None:
    with pytest.raises(TypeError, match="must be a whole number"):
        RandAugment(**wrong)


@given(
    seed=st.integers(0, 2**32),
    policy=st.builds(
        RandAugment, st.integers(1, 8), st.integers(0, 10), st.floats(0, 20), st.booleans(), st.booleans()
    ),
)
def test_draws_are_reproducible_and_in_range(seed: int, policy: RandAugment) -> None:
    params = policy.draw(np.random.default_rng(seed), SHAPE)
    assert params == policy.draw(np.random.default_rng(seed), SHAPE)
    names = [op.name for op in params.ops]
    assert set(names) <= set(INCREASING_OPS if policy.increasing else PLAIN_OPS)
    assert len(names) <= policy.num_ops
    assert all(0 <= op.magnitude <= 10 for op in params.ops)
    if policy.weighted:
        assert len(set(names)) == len(names)
        assert not {"Invert", "Posterize", "PosterizeIncreasing"} & set(names)


def test_half_of_the_operations_are_applied_all_alike_in_both_directions() -> None:
    rng = np.random.default_rng(0)
    policy = RandAugment.from_string("rand-m7-n4-mstd0.5-inc1")
    ops = [op for _ in range(5000) for op in policy.draw(rng, SHAPE).ops]
    counts = Counter(op.name for op in ops)
    assert len(ops) == pytest.approx(10000, rel=0.03)
    assert sorted(counts) == sorted(INCREASING_OPS)
    assert min(counts.values()) > 0.8 * 10000 / 15
    assert sum(op.negate for op in ops) == pytest.approx(len(ops) / 2, rel=0.05)
    assert np.mean([op.magnitude for op in ops]) == pytest.approx(7, abs=0.05)
    assert np.std([op.magnitude for op in ops]) == pytest.approx(0.5, abs=0.05)


def test_weights_favour_rotation() -> None:
    rng = np.random.default_rng(0)
    policy = RandAugment(1, 9, weighted=True, probability=1.0)
    names = Counter(policy.draw(rng, SHAPE).ops[0].name for _ in range(4000))
    for name, weight in zip(INCREASING_OPS, WEIGHTS_0, strict=True):
        assert names[name] == pytest.approx(4000 * weight, abs=100)


def test_without_operations_the_frames_are_untouched() -> None:
    frames = torch.zeros(SHAPE, dtype=torch.uint8)
    assert RandAugment().apply(frames, RandAugmentParams(())) is frames
