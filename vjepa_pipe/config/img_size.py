"""The size of clips: one number for squares, or `[height, width]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    ImgSize = int | Sequence[int]
else:  # OmegaConf has no union of a number and a list, and takes this for `Any`: `build` checks it
    ImgSize = Annotated[Any, int, tuple[int, int]]

FORMS = "one number or [height, width]"


def is_img_size(value: Any) -> bool:
    """Whether a value has one of the two forms; its bounds are those of its setting."""
    sides = value if isinstance(value, (list, tuple)) else [value, value]
    return len(sides) == 2 and all(isinstance(side, int) and not isinstance(side, bool) for side in sides)


def height_and_width(img_size: ImgSize) -> tuple[int, int]:
    """Height and width in pixels.

    Raises:
        ValueError: It is neither one number nor `[height, width]`, or a side is below 1.
    """
    if not is_img_size(img_size):
        raise ValueError(f"img_size must be {FORMS} (got {img_size!r})")
    height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
    if min(height, width) < 1:
        raise ValueError(f"img_size must be >= 1 (got {img_size})")
    return height, width


def canonical(img_size: Any) -> Any:
    """The form in which a config holds a size: one number for a square, else `[height, width]`; others unchanged."""
    if not is_img_size(img_size) or isinstance(img_size, int):
        return img_size
    height, width = img_size
    return height if height == width else [height, width]
