"""Hints: colours that somebody gives at places of a photo."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_colorize.color.inputs import HINT_CHANNELS
from keras_colorize.errors import ColorizeError


@dataclass(frozen=True)
class Hint:
    """A colour at a place of a photo.

    x, y: the middle, in pixels of the photo, from the middle of its top left pixel to the right and down.
    radius: of a disc, in pixels of the photo; 0 is a single pixel.
    a, b: the chroma that is asked for, in CIE units.
    """

    x: float
    y: float
    radius: float
    a: float
    b: float


def check_hints(hints: Sequence[Hint], height: int, width: int) -> None:
    """Refuse hints that a photo of that size cannot have.

    Raises:
        ColorizeError: a place outside the photo, a radius below 0, or a number that is not finite.
    """
    for hint in hints:
        if not np.isfinite([hint.x, hint.y, hint.radius, hint.a, hint.b]).all() or hint.radius < 0:
            raise ColorizeError(f"{hint}: expected finite numbers and a radius of at least 0")
        if not (-0.5 <= hint.x <= width - 0.5 and -0.5 <= hint.y <= height - 0.5):
            raise ColorizeError(
                f"a hint lies at x {hint.x:g}, y {hint.y:g}: expected a place in the photo of {width}×{height} pixels"
            )


def draw_hints(
    hints: Sequence[Hint], shape: tuple[int, int], picture: tuple[slice, slice], rows: slice, columns: slice
) -> np.ndarray:
    """Draw hints into a frame.

    Each covers the pixels whose middles lie in its disc, and at least the one nearest to its own middle. Where hints
    overlap their colours are averaged.

    Args:
        hints: in pixels of the photo.
        shape: height and width of the frame.
        picture: rows and columns of the photo that are in the frame; hints in its border have no effect.
        rows, columns: where they lie in the frame.

    Returns:
        `(h, w, 3)` float32, as `Inputs.hints`.
    """
    drawn = np.zeros((*shape, HINT_CHANNELS), np.float32)
    for hint in hints:
        if not (_lies_in(hint.y, picture[0]) and _lies_in(hint.x, picture[1])):
            continue
        down = _distances(shape[0], hint.y, hint.radius, picture[0], rows)
        across = _distances(shape[1], hint.x, hint.radius, picture[1], columns)
        inside = np.square(down)[:, None] + np.square(across)[None] <= 1.0
        inside[np.abs(down).argmin(), np.abs(across).argmin()] = True
        drawn[inside] += (hint.a, hint.b, 1.0)
    return drawn / np.maximum(drawn[..., 2:], 1.0)


def _lies_in(place: float, part: slice) -> bool:
    return part.start - 0.5 <= place <= part.stop - 0.5


def _distances(length: int, middle: float, radius: float, picture: slice, frame: slice) -> np.ndarray:
    """Signed distances of the pixels along one side of the frame from a hint's middle, in its radius there."""
    scale = (frame.stop - frame.start) / (picture.stop - picture.start)
    place = (middle + 0.5 - picture.start) * scale - 0.5 + frame.start
    return (np.arange(length) - place) / max(radius * scale, 1e-6)
