"""Hints: colours that somebody gives at places of a photo. Nothing here loads Keras."""

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import cast

import numpy as np
from PIL import ImageColor

from keras_colorize.color.inputs import HINT_CHANNELS
from keras_colorize.color.raster import color_chroma
from keras_colorize.errors import ColorizeError, did_you_mean

# [choice] The radius of a hint that has none, as a share of the photo's shorter side: 2 pixels of a frame of 128, where
# training draws squares of 1 to 9 pixels.
DEFAULT_RADIUS = 0.015

# A pixel on the very edge of a disc belongs to it, and of two pixels that are equally near the first one is taken. The
# small numbers make this independent of rounding: exported graphs draw in float32.
DISC_EDGE = 1.0 + 1e-4
NEAREST_EDGE = 0.5 + 1e-4

NEUTRAL = "neutral"
_LARGEST_AB = 128.0  # CIE units; the corners of sRGB reach -108 and 98
_HEX = re.compile("#(?:[0-9a-f]{3}|[0-9a-f]{6})")
_COLORS = "'#b22222', '#b22', a CSS name such as 'firebrick', 'neutral', or a and b"


@dataclass(frozen=True)
class Hint:
    """A colour at a place of a photo.

    Args:
        x, y: the middle, in pixels of the upright photo, from the middle of its top left pixel to the right and down.
        color: "#b22222", "#b22", a CSS name such as "firebrick", "neutral" for no colour, or a pair (a, b) in CIE
            units. A colour stands for its a and b: lightness stays the photo's own.
        radius: of a disc, in pixels of the photo; 0 is a single pixel. By default 1.5 % of the photo's shorter side.

    Raises:
        ColorizeError: a number is not finite, the radius is below 0, or the colour is none.
    """

    x: float
    y: float
    color: str | tuple[float, float]
    radius: float | None = None

    def __post_init__(self) -> None:
        numbers = {"x": self.x, "y": self.y} | ({} if self.radius is None else {"radius": self.radius})
        for name, value in numbers.items():
            object.__setattr__(self, name, finite_number(f"`{name}` of a hint", value))
        if self.radius is not None and self.radius < 0:
            raise ColorizeError(f"the hint at {self.place} has the `radius` {self.radius:g}: expected 0 or more")
        try:
            object.__setattr__(self, "color", _checked_color(self.color))
        except ColorizeError as error:
            raise ColorizeError(f"the hint at {self.place} has {error}") from None

    @property
    def place(self) -> str:
        """The place in words, for messages."""
        return f"x {self.x:g}, y {self.y:g}"

    @property
    def ab(self) -> tuple[float, float]:
        """The chroma (a, b) that is asked for, in CIE units."""
        return _chroma_of(self.color) if isinstance(self.color, str) else self.color

    def radius_in(self, height: int, width: int) -> float:
        """Return the radius in pixels on a photo of this size."""
        return DEFAULT_RADIUS * min(height, width) if self.radius is None else self.radius


def finite_number(name: str, value: object) -> float:
    """Return a number as a float.

    Raises:
        ColorizeError: it is no number, or not finite.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not np.isfinite(float(value)):
        raise ColorizeError(f"{name} is {value!r}: expected a finite number")
    return float(value)


def _checked_color(color: object) -> str | tuple[float, float]:
    """Return a colour as a string, or as a pair of floats.

    Raises:
        ColorizeError: it is none; the message follows the words "the hint has".
    """
    if isinstance(color, str):
        name = color.strip().lower()
        if name == NEUTRAL or name in ImageColor.colormap or _HEX.fullmatch(name):
            return name
        near = "" if name.startswith("#") else did_you_mean(name, (*ImageColor.colormap, NEUTRAL))
        raise ColorizeError(f"the `color` '{color}'{near} (expected {_COLORS})")
    try:
        a, b = (finite_number("it", value) for value in cast(Iterable[object], color))
    except (TypeError, ValueError):  # a ColorizeError too: of the words within, only that it is no pair of numbers
        raise ColorizeError(f"the `color` {color!r}: expected {_COLORS}") from None
    if max(abs(a), abs(b)) > _LARGEST_AB:
        raise ColorizeError(
            f"the `color` ({a:g}, {b:g}): expected a and b in CIE units, from {-_LARGEST_AB:g} to {_LARGEST_AB:g}"
        )
    return a, b


@functools.cache
def _chroma_of(color: str) -> tuple[float, float]:
    """Convert a colour that `_checked_color` took to its (a, b) in CIE units."""
    if color == NEUTRAL:
        return 0.0, 0.0
    return color_chroma(np.array(ImageColor.getrgb(color), np.uint8))


def check_hints(hints: Sequence[Hint], height: int, width: int) -> None:
    """Refuse hints that lie outside a photo of that size.

    Raises:
        ColorizeError: there is one.
    """
    for hint in hints:
        if not (-0.5 <= hint.x <= width - 0.5 and -0.5 <= hint.y <= height - 0.5):
            raise ColorizeError(
                f"the hint at {hint.place} lies outside the photo of {width}×{height} pixels: expected x from 0 to"
                f" {width - 1} and y from 0 to {height - 1}"
            )


def draw_hints(
    hints: Sequence[Hint],
    size: tuple[int, int],
    shape: tuple[int, int],
    picture: tuple[slice, slice],
    rows: slice,
    columns: slice,
) -> np.ndarray:
    """Draw hints into a frame.

    Each covers the pixels whose middles lie in its disc, and at least the one nearest to its own middle. Where hints
    overlap their colours are averaged.

    Args:
        hints: in pixels of the photo.
        size: height and width of the photo.
        shape: height and width of the frame.
        picture: rows and columns of the photo that are in the frame; hints in its border have no effect.
        rows, columns: where they lie in the frame.

    Returns:
        `(h, w, 3)` float32, as `Inputs.hints`.
    """
    drawn = np.zeros((*shape, HINT_CHANNELS), np.float32)
    for hint in hints:
        if not (lies_in(hint.y, picture[0]) and lies_in(hint.x, picture[1])):
            continue
        radius = hint.radius_in(*size)
        down, row = _distances(shape[0], hint.y, radius, picture[0], rows)
        across, column = _distances(shape[1], hint.x, radius, picture[1], columns)
        inside = np.square(down)[:, None] + np.square(across)[None] <= DISC_EDGE
        inside[row, column] = True
        drawn[inside] += (*hint.ab, 1.0)
    return drawn / np.maximum(drawn[..., 2:], 1.0)


def lies_in(place: float, part: slice) -> bool:
    """Tell whether a place along one side of the photo lies in a part of it."""
    return part.start - 0.5 <= place <= part.stop - 0.5


def _distances(length: int, middle: float, radius: float, picture: slice, frame: slice) -> tuple[np.ndarray, int]:
    """Measure one side of the frame from a hint's middle.

    Returns:
        The signed distance of each pixel in the hint's radius `(length,)`, and the number of the nearest pixel.
    """
    place = place_in_frame(middle, picture, frame)
    nearest = int(np.clip(np.ceil(place - NEAREST_EDGE), 0, length - 1))
    scale = (frame.stop - frame.start) / (picture.stop - picture.start)
    return (np.arange(length) - place) / max(radius * scale, 1e-6), nearest


def place_in_frame(place: float, picture: slice, frame: slice) -> float:
    """Convert a place along one side of the photo to the frame, where `picture` of the photo lies in `frame`."""
    scale = (frame.stop - frame.start) / (picture.stop - picture.start)
    return (place + 0.5 - picture.start) * scale - 0.5 + frame.start
