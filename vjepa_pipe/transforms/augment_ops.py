"""The image operations of RandAugment, each a function of an image, a magnitude and a sign.

Operations and magnitudes are those of timm's RandAugment as carried by vjepa2
(`src/datasets/utils/video/randaugment.py`): a magnitude is a level from 0 to 10, geometry is bicubic, and what comes
in from outside the image is grey 128. Names ending in Increasing get stronger with the level; of their
plain counterparts, Posterize and Solarize get weaker, and the enhancers go from weak to strong through "no change".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from PIL import Image, ImageEnhance, ImageOps

from vjepa_pipe.transforms.bicubic import transform

ImageOp = Callable[[Image.Image, float, bool], Image.Image]

MAX_LEVEL = 10


def _sign(value: float, negate: bool) -> float:
    return -value if negate else value


def _plain(function: Callable[[Image.Image], Image.Image]) -> ImageOp:
    """Make an operation of a function that knows neither level nor sign."""
    return lambda image, _level, _negate: function(image)


def _by_value(image: Image.Image, function: Callable[[int], int]) -> Image.Image:
    return image.point([function(value) for value in range(256)] * len(image.getbands()))


def _posterize(bits: Callable[[float], int]) -> ImageOp:
    # ImageOps.posterize refuses 0 bits in newer Pillow. The strongest level asks for that, and means black.
    def operation(image: Image.Image, level: float, _negate: bool) -> Image.Image:
        dropped = 8 - bits(level)
        return _by_value(image, lambda value: value >> dropped << dropped)

    return operation


def _solarize(threshold: Callable[[float], int]) -> ImageOp:
    return lambda image, level, _negate: ImageOps.solarize(image, threshold(level))


def _solarize_add(image: Image.Image, level: float, _negate: bool) -> Image.Image:
    """Brighten the dark half of the values."""
    amount = int(level / MAX_LEVEL * 110)
    return _by_value(image, lambda value: min(255, value + amount) if value < 128 else value)


def _enhance(kind: Callable[[Image.Image], ImageEnhance._Enhance], increasing: bool) -> ImageOp:
    """Colour, contrast, brightness or sharpness."""
    return lambda image, level, negate: kind(image).enhance(enhancement(level, negate, increasing))


def enhancement(level: float, negate: bool, increasing: bool) -> float:
    """The factor of an enhancer; 1 changes nothing."""
    share = level / MAX_LEVEL
    return 1.0 + _sign(share * 0.9, negate) if increasing else share * 1.8 + 0.1


def _rotation(degrees: float, width: int, height: int) -> tuple[float, ...]:
    """The matrix of `Image.rotate`."""
    cosine, sine = (round(part(-math.radians(degrees % 360)), 15) for part in (math.cos, math.sin))
    x, y = width / 2, height / 2
    return cosine, sine, cosine * -x + sine * -y + x, -sine, cosine, -sine * -x + cosine * -y + y


def _affine(name: str) -> ImageOp:
    """Make an operation of one of the `MATRICES`."""
    return lambda image, level, negate: transform(image, matrix_of(name, level, negate, *image.size))


def matrix_of(name: str, level: float, negate: bool, width: int, height: int) -> tuple[float, ...]:
    """The affine matrix of one of the `MATRICES`, as Pillow takes it: from a pixel to where it is taken from."""
    most, matrix = MATRICES[name]
    return matrix(_sign(level / MAX_LEVEL * most, negate), width, height)


MATRICES: Mapping[str, tuple[float, Callable[[float, int, int], tuple[float, ...]]]] = MappingProxyType(
    {
        "Rotate": (30.0, _rotation),
        "ShearX": (0.3, lambda amount, _width, _height: (1, amount, 0, 0, 1, 0)),
        "ShearY": (0.3, lambda amount, _width, _height: (1, 0, 0, amount, 1, 0)),
        "TranslateXRel": (0.45, lambda amount, width, _height: (1, 0, amount * width, 0, 1, 0)),
        "TranslateYRel": (0.45, lambda amount, _width, height: (1, 0, 0, 0, 1, amount * height)),
    }
)
"""Operations that move pixels: the largest amount, and the matrix of an amount."""

IMAGE_OPS: Mapping[str, ImageOp] = MappingProxyType(
    {
        "AutoContrast": _plain(ImageOps.autocontrast),
        "Equalize": _plain(ImageOps.equalize),
        "Invert": _plain(ImageOps.invert),
        "Rotate": _affine("Rotate"),
        "Posterize": _posterize(lambda level: int(level / MAX_LEVEL * 4)),
        "PosterizeIncreasing": _posterize(lambda level: 4 - int(level / MAX_LEVEL * 4)),
        "Solarize": _solarize(lambda level: int(level / MAX_LEVEL * 256)),
        "SolarizeIncreasing": _solarize(lambda level: 256 - int(level / MAX_LEVEL * 256)),
        "SolarizeAdd": _solarize_add,
        "Color": _enhance(ImageEnhance.Color, increasing=False),
        "ColorIncreasing": _enhance(ImageEnhance.Color, increasing=True),
        "Contrast": _enhance(ImageEnhance.Contrast, increasing=False),
        "ContrastIncreasing": _enhance(ImageEnhance.Contrast, increasing=True),
        "Brightness": _enhance(ImageEnhance.Brightness, increasing=False),
        "BrightnessIncreasing": _enhance(ImageEnhance.Brightness, increasing=True),
        "Sharpness": _enhance(ImageEnhance.Sharpness, increasing=False),
        "SharpnessIncreasing": _enhance(ImageEnhance.Sharpness, increasing=True),
        "ShearX": _affine("ShearX"),
        "ShearY": _affine("ShearY"),
        "TranslateXRel": _affine("TranslateXRel"),
        "TranslateYRel": _affine("TranslateYRel"),
    }
)

BY_VALUE = frozenset(
    {
        "Invert",
        "Posterize",
        "PosterizeIncreasing",
        "Solarize",
        "SolarizeIncreasing",
        "SolarizeAdd",
        "Brightness",
        "BrightnessIncreasing",
    }
)
"""Operations that give equal values in equal ways, wherever they stand and whatever is around."""

# The two lists line up: where a name differs, the increasing form is the other one's name plus "Increasing".
PLAIN_OPS = (
    "AutoContrast",
    "Equalize",
    "Invert",
    "Rotate",
    "Posterize",
    "Solarize",
    "SolarizeAdd",
    "Color",
    "Contrast",
    "Brightness",
    "Sharpness",
    "ShearX",
    "ShearY",
    "TranslateXRel",
    "TranslateYRel",
)
INCREASING_OPS = tuple(f"{name}Increasing" if f"{name}Increasing" in IMAGE_OPS else name for name in PLAIN_OPS)

# Set w0 of the policy strings, in the order of the lists above.
WEIGHTS_0 = (0.025, 0.005, 0.0, 0.3, 0.0, 0.005, 0.005, 0.025, 0.005, 0.005, 0.025, 0.2, 0.2, 0.1, 0.1)
