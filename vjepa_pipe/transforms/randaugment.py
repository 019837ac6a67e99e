"""RandAugment for clips (Cubuk et al., 2019, arXiv:1909.13719): the same operations on every frame.

Draws follow vjepa2 `src/datasets/utils/video/randaugment.py`, which carries timm's. A policy is named in one of two
ways: how many operations and how strong, `RandAugment(2, 9)`, or the published string,
`RandAugment.from_string("rand-m7-n4-mstd0.5-inc1")`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vjepa_pipe.transforms.augment_ops import INCREASING_OPS, MAX_LEVEL, PLAIN_OPS, WEIGHTS_0
from vjepa_pipe.transforms.clip_ops import augment_clip


@dataclass(frozen=True)
class AugmentOp:
    """One operation as it was drawn.

    Attributes:
        name: A key of `augment_ops.IMAGE_OPS`.
        magnitude: Level from 0 to 10.
        negate: Turn, shift or enhance the other way; operations without a direction ignore it.
    """

    name: str
    magnitude: float
    negate: bool


@dataclass(frozen=True)
class RandAugmentParams:
    """The operations that a clip goes through, in order; possibly none."""

    ops: tuple[AugmentOp, ...]


@dataclass(frozen=True)
class RandAugment:
    """Apply a few random image operations to a clip.

    Attributes:
        num_ops: Operations drawn per clip. Each is then applied with the given probability.
        magnitude: Mean level of an operation, 0 to 10.
        magnitude_std: Standard deviation of the level; levels are cut to 0 to 10. The default is the published one.
        increasing: Operations that get stronger with the level, as the published policy has it.
        weighted: Draw operations by weight set 0, without repeating any; false draws all alike, with repeats.
        probability: Share of the drawn operations that are applied.

    Raises:
        ValueError: A value is out of range.
        TypeError: The magnitude or the number of operations is not a whole number.
    """

    num_ops: int = 2
    magnitude: int = 9
    magnitude_std: float = 0.5
    increasing: bool = True
    weighted: bool = False
    probability: float = 0.5

    def __post_init__(self) -> None:
        for name, whole in (("rand_augment_n", self.num_ops), ("rand_augment_m", self.magnitude)):
            if not isinstance(whole, int) or isinstance(whole, bool):
                raise TypeError(f"{name} must be a whole number (got {whole!r})")
        most = sum(weight > 0 for weight in WEIGHTS_0)
        if self.num_ops < 1:
            raise ValueError(f"rand_augment_n must be >= 1 (got {self.num_ops})")
        if self.weighted and self.num_ops > most:
            raise ValueError(f"rand_augment_n must be <= {most} with weights, which never repeat (got {self.num_ops})")
        if not 0 <= self.magnitude <= MAX_LEVEL:
            raise ValueError(f"rand_augment_m must be from 0 to {MAX_LEVEL} (got {self.magnitude})")
        if not 0 <= self.magnitude_std < math.inf:
            raise ValueError(f"mstd of RandAugment must be >= 0 and finite (got {self.magnitude_std})")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability of RandAugment must be from 0 to 1 (got {self.probability})")

    @classmethod
    def from_string(cls, policy: str) -> RandAugment:
        """Read a policy string: `rand`, then parts joined by `-`, in any order.

        | part     | meaning                            | when left out |
        |----------|------------------------------------|---------------|
        | `m7`     | magnitude, a whole number          | 10            |
        | `n4`     | operations per clip                | 2             |
        | `mstd0.5`| standard deviation of the magnitude| 0             |
        | `inc1`   | increasing operations; `inc0`: not | `inc0`        |
        | `w0`     | draw by weight set 0               | all alike     |

        The published code has two defects that are not kept: there `inc0` turns increasing operations on just as
        `inc1` does, and an unknown part is ignored.

        Raises:
            ValueError: A part is unknown, repeated, or has a value it may not have.
        """
        head, *parts = policy.split("-")
        if head != "rand":
            raise ValueError(f"rand_augment must start with 'rand' (got {policy!r})")
        values: dict[str, str] = {}
        for part in parts:
            found = re.fullmatch(r"(mstd|inc|m|n|w)(\d+(?:\.\d+)?)", part)
            if found is None:
                raise ValueError(f"rand_augment has no part {part!r}; known: m, n, mstd, inc, w (got {policy!r})")
            key, value = found.groups()
            if key in values:
                raise ValueError(f"rand_augment names {key} twice (got {policy!r})")
            if key != "mstd" and "." in value:
                raise ValueError(f"rand_augment takes a whole number for {key} (got {part!r} in {policy!r})")
            values[key] = value
        if values.get("inc", "0") not in ("0", "1"):
            raise ValueError(f"rand_augment takes inc0 or inc1 (got inc{values['inc']} in {policy!r})")
        if values.get("w", "0") != "0":
            raise ValueError(f"rand_augment takes the weight set w0 only (got w{values['w']} in {policy!r})")
        return cls(
            num_ops=int(values.get("n", 2)),
            magnitude=int(values.get("m", 10)),
            magnitude_std=float(values.get("mstd", 0)),
            increasing=values.get("inc") == "1",
            weighted="w" in values,
        )

    def draw(self, rng: np.random.Generator, shape: Sequence[int]) -> RandAugmentParams:
        """Draw the operations of a clip; the shape plays no part."""
        del shape
        names = INCREASING_OPS if self.increasing else PLAIN_OPS
        weights = np.array(WEIGHTS_0) / sum(WEIGHTS_0) if self.weighted else None
        ops = []
        for index in rng.choice(len(names), self.num_ops, replace=not self.weighted, p=weights):
            if rng.random() < self.probability:
                level = min(max(rng.normal(self.magnitude, self.magnitude_std), 0.0), float(MAX_LEVEL))
                ops.append(AugmentOp(names[index], float(level), bool(rng.random() < 0.5)))
        return RandAugmentParams(tuple(ops))

    def apply(self, frames: Tensor, params: RandAugmentParams) -> Tensor:
        """Apply the drawn operations to each frame.

        Args:
            frames: uint8 `[T, H, W, 3]`, on the CPU.
            params: The operations.

        Returns:
            uint8 `[T, H, W, 3]`; `frames` itself when there are no operations.
        """
        if not params.ops:
            return frames
        clip = frames.contiguous().numpy()
        for op in params.ops:
            clip = augment_clip(clip, op.name, op.magnitude, op.negate)
        return torch.from_numpy(clip)
