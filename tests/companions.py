"""What an option needs beside it: states go with robot data and augmentation that keeps them true."""

from __future__ import annotations

STATES = ["data=synthetic_robot", "data_aug=robotics"]


def companions(choice: str) -> list[str]:
    """Overrides with which an option, such as `robotics=droid`, fits any experiment."""
    group, _, option = choice.partition("=")
    if group == "robotics" and option != "none":
        return STATES
    if choice == "mask=blocks":
        return ["+mask.masks.few.num_blocks=4"]
    return ["robotics=none"] if group in ("data", "data_aug") else []
