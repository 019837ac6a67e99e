"""What an option needs beside it: states go with robot data and augmentation that keeps them true."""

from __future__ import annotations

from vjepa_pipe.composition.options import group_options, groups, own_command

STATES = ["data=synthetic_robot", "data_aug=robotics"]


def own_commands() -> list[list[str]]:
    """The command of each option, but of those that stand for a class of the user's own.

    Options of `training` ask for what no default can give; the experiments answer, so they stand for them.
    """
    plain = (group for group in groups() if "/" not in group and group != "training")
    choices = ((group, option) for group in plain for option in group_options(group))
    return [own_command(*choice) for choice in choices if choice != ("model", "own")]


def companions(choice: str) -> list[str]:
    """Overrides with which an option, such as `robotics=droid`, fits any experiment."""
    group, _, option = choice.partition("=")
    if group == "robotics" and option != "none":
        return STATES
    if choice == "mask=blocks":
        return ["+mask.masks.few.num_blocks=4"]
    return ["robotics=none"] if group in ("data", "data_aug") else []
