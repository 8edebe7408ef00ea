"""Suggestions: the most likely different colours at a place, from the distribution that a network predicts."""

from dataclasses import dataclass

import numpy as np

from keras_colorize.color import raster
from keras_colorize.color.largest_chroma import share_in_gamut
from keras_colorize.color.spaces import BinnedLabSpace, Space
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.frame import Frame
from keras_colorize.inference.hints import Hint, check_hints
from keras_colorize.tensor import Tensor


@dataclass(frozen=True)
class Suggestion:
    """A likely colour at a place.

    ab: (a, b) in CIE units, as a `Hint` takes it; in the gamut of sRGB at the lightness of the place.
    color: the colour itself at that lightness, "#rrggbb".
    share: of probability, in [0, 1]: of colours near this one and nearer to no likelier suggestion.
    """

    ab: tuple[float, float]
    color: str
    share: float


def suggest_colors(space: Space, frame: Frame, prediction: Tensor, x: float, y: float, count: int) -> list[Suggestion]:
    """Find the most likely different colours at a place.

    Args:
        space: of the network.
        frame: of the photo.
        prediction: of the network for this frame, (1, h', w', C).
        x, y: the place, in pixels of the photo.
        count: the most that are wanted.

    Returns:
        Suggestions in falling order of their shares, which add up to at most 1; none in a plain border of the photo,
        which the network does not see and which stays neutral.

    Raises:
        ColorizeError: the network predicts no distribution over classes of chroma, the place lies outside the photo, or
            the count is below 1.
    """
    if not isinstance(space, BinnedLabSpace):
        raise ColorizeError(
            "the network predicts one colour for each place, and no others with their probabilities: use a model whose"
            f" recipe has the space '{BinnedLabSpace.name}'"
        )
    if count < 1:
        raise ColorizeError(f"`count` is {count}: expected 1 or more suggestions")
    check_hints([Hint(x, y, "neutral")], *frame.size)
    place = frame.place(x, y)
    if place is None:
        return []
    logits, weights = _around(np.asarray(prediction)[0], place, frame.shape)
    shares = weights @ np.asarray(space.distribution(logits))
    L = frame.inputs.lightness[*(round(position) for position in place), 0]
    found, shares = space.bins.modes(shares, count, lambda ab: in_gamut(L, ab))
    rgb_u8 = _shown(L, found)
    return [
        Suggestion((float(ab[0]), float(ab[1])), "#{:02x}{:02x}{:02x}".format(*rgb), float(share))
        for ab, rgb, share in zip(found, rgb_u8, shares, strict=True)
    ]


def in_gamut(L: float, ab: np.ndarray) -> np.ndarray:
    """Bring chroma ab (n, 2) in CIE units into the gamut of sRGB at one lightness, along its hue: float32."""
    ab = ab.astype(np.float32)
    fy = np.full(len(ab), (L + 16.0) / 116.0, np.float32)
    return ab * share_in_gamut(fy, ab[:, 0] / np.float32(500.0), ab[:, 1] / np.float32(-200.0))[:, None]


def _shown(L: float, ab: np.ndarray) -> np.ndarray:
    """Show colours ab (n, 2) of one lightness: rgb_u8 (n, 3)."""
    fy, Y = np.empty((2, len(ab)), np.float32)
    raster.read_lightness(np.full(len(ab), L, np.float32), fy, Y)
    rgb_u8 = np.empty((1, len(ab), 3), np.uint8)
    raster.write_colors(fy, Y, fy + ab[:, 0] / np.float32(500.0), fy - ab[:, 1] / np.float32(200.0), rgb_u8)
    return rgb_u8[0]


def _around(maps: np.ndarray, place: tuple[float, float], shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the four neighbours (4, C) of a place in maps (h, w, C), and their bilinear weights (4,).

    place: row and column in a frame of this shape, over which the maps lie.
    """
    rows, columns = (_two_nearest(*sides) for sides in zip(place, shape, maps.shape[:2], strict=True))
    neighbours = [(row, column, down * across) for row, down in rows for column, across in columns]
    return (
        np.stack([maps[row, column] for row, column, _ in neighbours]),
        np.array([weight for *_, weight in neighbours], np.float32),
    )


def _two_nearest(position: float, length: int, known: int) -> list[tuple[int, float]]:
    """Return the two known places around a position along a side, and their weights; pixel centres are aligned."""
    place = min(max((position + 0.5) * known / length - 0.5, 0.0), known - 1.0)
    before = min(int(place), max(known - 2, 0))
    share = place - before
    return [(before, 1.0 - share), (min(before + 1, known - 1), share)]
