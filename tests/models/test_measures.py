"""What features are worth, on features whose worth is known."""

from __future__ import annotations

import pytest
import torch

from vjepa_pipe.models.measures import knn_accuracy, lidar, linear_accuracy, rankme, spread


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(rng: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=rng)


def test_rankme_counts_the_directions_that_are_used(rng: torch.Generator):
    basis = torch.linalg.qr(normal(rng, 16, 16))[0]
    features = normal(rng, 4000, 3) @ basis[:3]
    assert rankme(features) == pytest.approx(3, abs=0.05)
    assert rankme(features + 100) == pytest.approx(rankme(features), rel=1e-3)  # an offset is no direction
    assert rankme(torch.ones(8, 4)) == 1
    assert rankme(normal(rng, 5, 64)) <= 4 + 1e-9


def test_lidar_counts_what_tells_clips_apart_and_not_views(rng: torch.Generator):
    clips, views = 500, 4
    of_clip = torch.zeros(clips, 1, 12)
    of_clip[..., :3] = normal(rng, clips, 1, 3)  # three directions of clips, of all twelve of views
    features = of_clip + 0.01 * normal(rng, clips, views, 12)
    assert lidar(features) == pytest.approx(3, abs=0.2)
    assert rankme((of_clip + normal(rng, clips, views, 12)).flatten(0, 1)) > 10
    with pytest.raises(ValueError, match=r"at least 2 clips of 2 views \(got 3 of 1\)"):
        lidar(normal(rng, 3, 1, 4))
    assert lidar(torch.ones(4, 2, 8)) == 1


def test_spread_is_one_on_the_sphere_and_none_in_a_point(rng: torch.Generator):
    assert spread(normal(rng, 4000, 32)) == pytest.approx(1, abs=0.02)
    assert spread(5 * torch.ones(8, 32)) == pytest.approx(0, abs=1e-9)
    assert spread(normal(rng, 4000, 32) + 10) < 0.2


def test_accuracies_with_and_without_a_test_set(rng: torch.Generator):
    labels = torch.arange(60) % 3
    centres = 4 * torch.eye(3, 8)
    features, test = (centres[labels] + normal(rng, 60, 8) for _ in range(2))
    for accuracy in (knn_accuracy, linear_accuracy):
        assert accuracy(features, labels) > 0.95
        assert accuracy(features, labels, test, labels) > 0.95
        assert accuracy(features, labels, test, (labels + 1) % 3) < 0.05
        assert accuracy(normal(rng, 600, 8), torch.arange(600) % 3) < 0.45  # chance is a third


def test_leave_one_out_is_what_fitting_without_each_gives(rng: torch.Generator):
    labels = torch.arange(24) % 3
    features = torch.eye(3, 5)[labels] + 0.8 * normal(rng, 24, 5)
    kept = [torch.arange(24) != i for i in range(24)]
    knn = sum(knn_accuracy(features[k], labels[k], features[~k], labels[~k], neighbours=5) for k in kept) / 24
    assert knn_accuracy(features, labels, neighbours=5) == pytest.approx(knn)
    # Standardising by all of them is the only difference; the penalty is a share of N, so 24/23 of it here.
    scaled = (features - features.mean(0)) / features.std(0, unbiased=False)
    answers = []
    for k in kept:
        known, wanted = scaled[k].double(), torch.nn.functional.one_hot(labels[k], 3).double()
        mean = known.mean(0)
        weights = torch.linalg.solve(
            (known - mean).T @ (known - mean) + 0.1 * 24 * torch.eye(5).double(), (known - mean).T @ wanted
        )
        answers.append(int((wanted.mean(0) + (scaled[~k].double() - mean) @ weights).argmax()))
    right = (torch.tensor(answers) == labels).double().mean()
    assert 0.3 < float(right) < 1  # some are told wrong, else this compares nothing
    assert linear_accuracy(features, labels) == pytest.approx(float(right))
