"""What features are worth: with labels, how well they tell classes apart; without, how many directions they use.

Plain functions of features [N, D] and labels [N]; each computes in float64, on the features' device.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rankme(features: Tensor) -> float:
    """Effective rank of the centred features: the exponential of the entropy of their singular values.

    RankMe (Garrido et al. 2023), of features whose mean is taken away first: a common offset is one large singular
    value that hides the others.

    Args:
        features: [N, D].

    Returns:
        From 1 to min(N - 1, D); 1 also where all features are equal.
    """
    return _effective_rank(torch.linalg.svdvals(_centred(features)))


def lidar(features: Tensor, delta: float = 1e-4) -> float:
    """Effective rank of what tells clips apart, measured in what tells views of one clip apart.

    LiDAR (Thilak et al. 2023): the exponential of the entropy of the eigenvalues of the LDA matrix, with each clip as
    a class of its own. Unlike RankMe it does not count directions in which features only vary from view to view.

    Args:
        features: [N, V, D], V >= 2 views of each of N clips.
        delta: Added to the covariance within clips, as a share of its mean variance.

    Returns:
        From 1 to min(N - 1, D).

    Raises:
        ValueError: If there are fewer than two clips, or fewer than two views.
    """
    clips, views, width = features.shape
    if clips < 2 or views < 2:
        raise ValueError(f"lidar needs at least 2 clips of 2 views (got {clips} of {views})")
    means = features.double().mean(dim=1)
    within = (features.double() - means[:, None]).flatten(0, 1)
    between = _centred(means)
    covariance = within.T @ within / (clips * (views - 1))
    ridge = delta * covariance.diagonal().mean().clamp(min=torch.finfo(torch.float64).tiny)
    values, vectors = torch.linalg.eigh(covariance + ridge * torch.eye(width).to(covariance))
    whitened = between @ vectors / values.clamp(min=ridge).sqrt()
    return _effective_rank(torch.linalg.svdvals(whitened).square())


def spread(features: Tensor) -> float:
    """How far features lie apart: 0 where all have one direction, 1 where they fill the sphere evenly.

    The standard deviation of each number of the normalised features, averaged and multiplied by sqrt(D), as SimSiam
    (Chen & He 2021) watches for collapse.

    Args:
        features: [N, D].
    """
    directions = torch.nn.functional.normalize(features.double(), dim=1)
    return float(directions.std(dim=0, unbiased=False).mean() * features.shape[1] ** 0.5)


def knn_accuracy(
    features: Tensor,
    labels: Tensor,
    test: Tensor | None = None,
    test_labels: Tensor | None = None,
    neighbours: int = 20,
    temperature: float = 0.07,
) -> float:
    """Share of samples whose class the nearest neighbours name, by cosine, weighted as in DINO.

    Args:
        features: [N, D], those that are voted with.
        labels: [N], whole numbers >= 0.
        test: [M, D]; None: each of `features` is told by all the others.
        test_labels: [M].
        neighbours: How many vote, at most; all where there are fewer.
        temperature: A neighbour of cosine c weighs exp(c / temperature).
    """
    bank = torch.nn.functional.normalize(features.double(), dim=1)
    asked = bank if test is None else torch.nn.functional.normalize(test.double(), dim=1)
    right = labels if test_labels is None else test_labels
    hits = 0
    for start in range(0, len(asked), 1024):  # all at once would take N x M numbers
        cosines = asked[start : start + 1024] @ bank.T
        if test is None:
            own = torch.arange(len(cosines), device=cosines.device)
            cosines[own, own + start] = -torch.inf
        count = min(neighbours, len(bank) - (test is None))
        nearest, places = cosines.topk(count, dim=1)
        votes = cosines.new_zeros(len(cosines), int(max(labels.max(), right.max())) + 1)
        votes.scatter_add_(1, labels[places], (nearest / temperature).exp())
        hits += int((votes.argmax(dim=1) == right[start : start + 1024]).sum())
    return hits / len(asked)


def linear_accuracy(
    features: Tensor,
    labels: Tensor,
    test: Tensor | None = None,
    test_labels: Tensor | None = None,
    ridge: float = 0.1,
) -> float:
    """Share of samples whose class a linear classifier names: ridge regression on one-hot labels, in closed form.

    Features are standardised. Without a test set each sample is told by the classifier of all the others, which
    ridge regression gives without fitting it again: y - (y - p) / (1 - h) for a prediction p and its leverage h.

    Args:
        features: [N, D], those that are fitted.
        labels: [N], whole numbers >= 0.
        test: [M, D]; None: leave-one-out.
        test_labels: [M].
        ridge: Penalty on the weights, as a share of N.
    """
    known = features.double()
    right = labels if test_labels is None else test_labels
    mean, scale = known.mean(dim=0), known.std(dim=0, unbiased=False).clamp(min=1e-12)
    classes = int(max(labels.max(), right.max())) + 1
    wanted = torch.nn.functional.one_hot(labels, classes).double()
    left, values, right_vectors = torch.linalg.svd((known - mean) / scale, full_matrices=False)
    kept = values.square() / (values.square() + ridge * len(known))
    if test is None:
        predicted = wanted.mean(dim=0) + left @ (kept[:, None] * (left.T @ wanted))
        leverage = 1 / len(known) + (left.square() @ kept)[:, None]
        answers = wanted - (wanted - predicted) / (1 - leverage).clamp(min=1e-12)
    else:
        weights = right_vectors.T @ ((values / (values.square() + ridge * len(known)))[:, None] * (left.T @ wanted))
        answers = wanted.mean(dim=0) + (test.double() - mean) / scale @ weights
    return float((answers.argmax(dim=1) == right).double().mean())


def _centred(features: Tensor) -> Tensor:
    return features.double() - features.double().mean(dim=0)


def _effective_rank(values: Tensor) -> float:
    """Exponential of the entropy of non-negative values as shares of their sum; 1 where all are 0."""
    total = values.sum()
    if not total > torch.finfo(torch.float32).tiny:
        return 1.0
    shares = values / total
    return float(torch.special.entr(shares).sum().exp())
