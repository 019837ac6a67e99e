"""Which methods a class of the user's own must have at each place of an experiment."""

from __future__ import annotations

import inspect
import re
from typing import Any, NamedTuple

from vjepa_pipe.config.image import group_of

PAGE = "docs/extending.md"


class Protocol(NamedTuple):
    """What the object at a place offers.

    Attributes:
        kind: What it is, with its article.
        alternatives: Signatures; the methods of one of these suffice.
    """

    kind: str
    alternatives: tuple[tuple[str, ...], ...]


PROTOCOLS = {
    "data": Protocol("a dataset", (("__len__()", "__getitem__(index)"), ("__len__()", "sample(key)"))),
    "data_aug": Protocol("a transform pipeline", (("get_train_transform()", "get_eval_transform()"),)),
    "data_aug.extra_transforms": Protocol("a transform", (("__call__(clip)",),)),
    "mask": Protocol("a mask or collator", (("draw(rng, grid)",), ("__call__(samples)",))),
    "model": Protocol("an encoder", (("__call__(clips)",),)),
    "decoder": Protocol("a decoder", (("open(path)",),)),
    "loader.sampler": Protocol("a sampler", (("at(position)",),)),
    "tracker": Protocol("a tracker", (("log(values, step)", "close()"),)),
}


def protocol_fault(built: Any, where: str, target: str) -> str | None:
    """A line if what a `_target_` names, or has built, lacks the methods that its place needs.

    Args:
        built: An object, or the class of one; of a function only the result can be asked.
        where: The place of the node, such as `data_aug.extra_transforms[0]`; others than those above need nothing.
        target: The name of the class.
    """
    protocol = PROTOCOLS.get(group_of(re.sub(r"\[\d+\]", "", where)))
    if protocol is None:
        return None
    lacking = [
        [signature for signature in signatures if not _offers(built, signature)] for signatures in protocol.alternatives
    ]
    if not all(lacking):
        return None
    fewest = min(map(len, lacking))
    missing = " or ".join(" and ".join(one) for one in lacking if len(one) == fewest)
    return f"{where}._target_: {target} has no {missing}: {protocol.kind} needs it ({PAGE})"


def task_fault(function: Any, target: str) -> str | None:
    """A line if a task cannot be called as `task(experiment, output_dir)`."""
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return f"task._target_: {target} must be a function of (experiment, output_dir) ({PAGE})"
    except ValueError:  # a function of a C extension says nothing about its parameters
        return None
    return None


def _offers(built: Any, signature: str) -> bool:
    """Whether an object, or those of a class, have a method that can be called as the signature says."""
    name, _, parameters = signature.rstrip(")").partition("(")
    if isinstance(built, type) and not any(name in vars(base) for base in built.__mro__):
        return False  # every class can be called, and that says nothing about its instances
    method = getattr(built, name, None)
    if not callable(method):
        return False
    given = [part for part in parameters.split(", ") if part]
    if isinstance(built, type) and inspect.isfunction(inspect.getattr_static(built, name)):
        given = ["self", *given]
    try:
        inspect.signature(method).bind(*given)
    except TypeError:
        return False
    except ValueError:  # a method of a C extension says nothing about its parameters
        return True
    return True
