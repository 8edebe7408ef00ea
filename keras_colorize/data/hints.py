"""Hints: colours that are given at places of a photo, and how training draws them from the photo itself."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_colorize.tensor import Tensor

# One photo of so many gets so many times as many hints: users who paint a whole photo exist too.
_LAVISH_SHARE = 0.125
_LAVISH_FACTOR = 16.0
# People need few hints to give one thing another colour. Their mean number is multiplied by this.
_FRUGAL_FACTOR = 0.25

# Regions are grown on a grid of about this many cells a side, as fine as most networks predict.
_GRID = 32
# Standard deviations of a cell's distance from the hinted one, in CIE units: smallest and largest of ab, and of L.
_AB_SPREAD = (6.0, 20.0)
_L_SPREAD = (8.0, 30.0)
# A cell this much like the hinted one belongs to the region not at all, and wholly.
_ALIKE = (0.35, 0.6)
_MOST_CHROMA = 75.0
# Of the new colours, this share is grey.
_GREY_SHARE = 0.15


class HintPlaces(NamedTuple):
    """Squares of photos at which hints are given; each field is (B, N) and in pixels but the last two.

    Attributes:
        rows, columns: of the squares' middles.
        radius: of the squares; a side is twice that and one.
        active: 1 for the squares that are used, else 0. The first of a photo with hints is always used.
        recolored: (B, 1), 1 for photos in which the first hint gives one thing another colour, else 0.
    """

    rows: Tensor
    columns: Tensor
    radius: Tensor
    active: Tensor
    recolored: Tensor


def random_places(
    size: tuple[int, int, int],
    seed: keras.random.SeedGenerator,
    *,
    share: float,
    mean: float,
    patch: int,
    most: int,
    recolored: float = 0.0,
) -> HintPlaces:
    """Draw the places of hints.

    Args:
        size: number, height and width of the photos.
        seed: of the draws.
        share: of the photos that get any hint, from 0 to 1.
        mean: of the geometric distribution of a photo's number of hints, which starts at 1.
        patch: the largest side of a hint's square, in pixels. Sides are odd and equally likely.
        most: the largest number of hints of a photo.
        recolored: share of the photos with hints whose first hint gives one thing another colour.
    """
    batch, height, width = size
    given, number, lavish, changed = ops.unstack(keras.random.uniform((4, batch), seed=seed), 4, axis=0)
    changed = ops.cast((changed < recolored) & (given < share), "float32")
    rate = ops.where(lavish < _LAVISH_SHARE, mean * _LAVISH_FACTOR, mean)
    rate = ops.maximum(ops.where(changed > 0, mean * _FRUGAL_FACTOR, rate), 1.0 + 1e-6)
    # The inverse of the geometric distribution function.
    count = 1.0 + ops.floor(ops.log1p(-number * 0.999999) / ops.log1p(-1.0 / rate))
    count = ops.where(given < share, count, 0.0)
    place = keras.random.uniform((3, batch, most), seed=seed)
    return HintPlaces(
        rows=ops.floor(place[0] * height),
        columns=ops.floor(place[1] * width),
        radius=ops.floor(place[2] * ((patch + 1) // 2)),
        active=ops.cast(ops.arange(most, dtype="float32")[None] < count[:, None], "float32"),
        recolored=changed[:, None],
    )


def paint_hints(ab: Tensor, places: HintPlaces) -> Tensor:
    """Paint squares of a photo's own mean colour.

    Args:
        ab: the photos' chroma (B, H, W, 2) in CIE units.
        places: of the hints.

    Returns:
        hints (B, H, W, 3) float32: ab in CIE units, which is the mean colour of each square, and a mask. All three are
        0 where there is no hint. Where squares overlap their colours are averaged.
    """
    _, height, width, _ = ops.shape(ab)

    def covered(centre: Tensor, size: int) -> Tensor:
        distance = ops.abs(ops.arange(size, dtype="float32")[None, None] - centre[..., None])
        return ops.cast(distance <= places.radius[..., None], "float32")  # (B, N, size)

    down, across = covered(places.rows, height) * places.active[..., None], covered(places.columns, width)
    area = ops.maximum(ops.sum(down, axis=-1) * ops.sum(across, axis=-1), 1.0)  # (B, N)
    strips = ops.einsum("bnh,bhwc->bnwc", down, ops.cast(ab, "float32"))
    colors = ops.einsum("bnw,bnwc->bnc", across, strips) / area[..., None]
    colors = ops.concatenate([colors, ops.ones_like(area)[..., None]], axis=-1)
    painted = ops.einsum("bnh,bnwc->bhwc", down, across[..., None] * colors[:, :, None])
    return painted / ops.maximum(painted[..., 2:], 1.0)


def recolor_things(L: Tensor, ab: Tensor, places: HintPlaces, seed: keras.random.SeedGenerator) -> Tensor:
    """Give one thing of some photos another colour, so that a network learns where a hint's colour ends.

    Photos teach that one colour tells of many others: a warm light is on all things. A person who gives a car another
    colour means the car. The thing is the region around a photo's first hint that is like it in lightness and chroma
    and hangs together. How much alike it must be is drawn for each photo, as is the colour.

    Args:
        L: lightness (B, H, W, 1) in [0, 100].
        ab: chroma (B, H, W, 2) in CIE units.
        places: of the hints; photos that are not `recolored` keep their colours.
        seed: of the draws.

    Returns:
        ab (B, H, W, 2) in CIE units. The difference of the new colour from the old one is added to the whole region.
    """
    _, height, width, _ = ops.shape(ab)
    cell = max(1, height // _GRID, width // _GRID)
    lab = ops.average_pool(ops.concatenate([L, ab], axis=-1), cell, cell, padding="same")
    _, rows, columns, _ = ops.shape(lab)
    down, across = (_one_cell(at[:, :1] // cell, n) for at, n in ((places.rows, rows), (places.columns, columns)))
    here = down[:, :, None, None] * across[:, None, :, None]  # (B, rows, columns, 1), 1 at the first hint
    own = ops.sum(lab * here, axis=(1, 2), keepdims=True)
    draws = keras.random.uniform((5, ops.shape(ab)[0], 1, 1, 1), seed=seed)
    l_spread, ab_spread = (low + (high - low) * draws[n] for n, (low, high) in enumerate((_L_SPREAD, _AB_SPREAD)))
    spread = ops.concatenate([l_spread, ab_spread, ab_spread], axis=-1)
    alike = ops.exp(-0.5 * ops.sum(ops.square((lab - own) / spread), axis=-1, keepdims=True))
    region = alike * here
    for _ in range(max(rows, columns)):  # what is as much alike all the way from the hint
        region = ops.minimum(alike, ops.max_pool(region, 3, 1, padding="same"))
    region = ops.clip((region - _ALIKE[0]) / (_ALIKE[1] - _ALIKE[0]), 0.0, 1.0)
    region = ops.image.resize(region, (rows * cell, columns * cell), interpolation="bilinear")[:, :height, :width]
    # The gamut is narrow near black and white.
    room = ops.minimum(1.0, ops.minimum(own[..., :1], 100.0 - own[..., :1]) / 40.0)
    chroma = _MOST_CHROMA * room * ops.sqrt(draws[2]) * ops.cast(draws[3] > _GREY_SHARE, "float32")
    angle = 2.0 * np.pi * draws[4]
    color = chroma * ops.concatenate([ops.cos(angle), ops.sin(angle)], axis=-1)
    return ab + region * (color - own[..., 1:]) * places.recolored[..., None, None]


def _one_cell(index: Tensor, size: int) -> Tensor:
    """Mark one of so many cells with 1: (B, 1) → (B, size)."""
    return ops.cast(ops.equal(ops.arange(size, dtype="float32")[None], index), "float32")
