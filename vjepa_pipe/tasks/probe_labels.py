"""Labels of the videos that a probe is trained and measured on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vjepa_pipe.config.errors import ConfigError
from vjepa_pipe.config.task import MOST_CLASSES
from vjepa_pipe.datasets import KeyedDataset


def number_of_classes(train: KeyedDataset, test: KeyedDataset, given: int | None) -> int:
    """How many classes a probe tells apart: what is given, else one more than the largest label of the training rows.

    Args:
        train: Whose rows are trained on.
        test: Whose rows are measured on.
        given: `task.num_classes`.

    Raises:
        ConfigError: If rows have no label, or one that is no class.
    """
    largest = {}
    for name, dataset in (("train", train), ("eval", test)):
        labels = set(_labels(dataset))
        if not labels:
            if given is None:
                raise ConfigError(
                    ["task.num_classes must be given: rows of this dataset have no label that can be read"]
                )
            continue
        if odd := [label for label in labels if not isinstance(label, int) or label < 0]:
            raise ConfigError([f"data: labels must be whole numbers >= 0 for task=probe (got {odd[0]!r})"])
        if name == "train" and len(labels) == 1:
            raise ConfigError(
                [f"data: all training videos have the label {labels.pop()}, and a probe needs two classes"]
            )
        largest[name] = max(labels)
    classes = largest["train"] + 1 if given is None else given
    if classes > MOST_CLASSES:
        raise ConfigError(
            [f"data: task=probe tells at most {MOST_CLASSES} classes apart, and labels go up to {classes - 1}"]
        )
    for name, label in largest.items():
        if label >= classes:
            told = "task.num_classes says" if given is not None else "the training rows say"
            raise ConfigError([f"task.num_classes: {told} {classes}, and the {name} rows have a label {label}"])
    return classes


def _labels(dataset: KeyedDataset) -> Iterator[Any]:
    for rows in dataset.sources:
        if hasattr(rows, "label"):
            yield from (rows.label(row) for row in range(len(rows)))
