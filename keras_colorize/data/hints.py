"""Hints: colours that are given at places of a photo, and how training draws them from the photo itself."""

import keras
from keras import ops

from keras_colorize.tensor import Tensor

# One photo of so many gets so many times as many hints: users who paint a whole photo exist too.
_LAVISH_SHARE = 0.125
_LAVISH_FACTOR = 16.0


def random_hints(
    ab: Tensor, seed: keras.random.SeedGenerator, *, share: float, mean: float, patch: int, most: int
) -> Tensor:
    """Draw hints from photos' own colours.

    Args:
        ab: the photos' chroma (B, H, W, 2) in CIE units.
        seed: of the draws.
        share: of the photos that get any hint, from 0 to 1.
        mean: of the geometric distribution of a photo's number of hints, which starts at 1.
        patch: the largest side of a hint's square, in pixels. Sides are odd and equally likely.
        most: the largest number of hints of a photo.

    Returns:
        hints (B, H, W, 3) float32: ab in CIE units, which is the mean colour of each square, and a mask. All three are
        0 where there is no hint. Where squares overlap their colours are averaged.
    """
    batch, height, width, _ = ops.shape(ab)
    given, number, lavish = ops.unstack(keras.random.uniform((3, batch), seed=seed), 3, axis=0)
    rate = ops.where(lavish < _LAVISH_SHARE, mean * _LAVISH_FACTOR, mean)
    # The inverse of the geometric distribution function.
    count = 1.0 + ops.floor(ops.log1p(-number * 0.999999) / ops.log1p(-1.0 / ops.maximum(rate, 1.0 + 1e-6)))
    count = ops.where(given < share, count, 0.0)
    place = keras.random.uniform((3, batch, most), seed=seed)
    rows = ops.floor(place[0] * height)
    columns = ops.floor(place[1] * width)
    radius = ops.floor(place[2] * ((patch + 1) // 2))
    active = ops.cast(ops.arange(most, dtype="float32")[None] < count[:, None], "float32")
    return paint_hints(ab, rows, columns, radius, active)


def paint_hints(ab: Tensor, rows: Tensor, columns: Tensor, radius: Tensor, active: Tensor) -> Tensor:
    """Paint squares of a photo's own mean colour: (B, H, W, 2) → hints (B, H, W, 3) as `random_hints` returns them.

    rows, columns and radius (B, N) are in pixels; active (B, N) is 1 for the hints that are used.
    """
    _, height, width, _ = ops.shape(ab)

    def covered(centre: Tensor, size: int) -> Tensor:
        distance = ops.abs(ops.arange(size, dtype="float32")[None, None] - centre[..., None])
        return ops.cast(distance <= radius[..., None], "float32")  # (B, N, size)

    down, across = covered(rows, height) * active[..., None], covered(columns, width)
    area = ops.maximum(ops.sum(down, axis=-1) * ops.sum(across, axis=-1), 1.0)  # (B, N)
    strips = ops.einsum("bnh,bhwc->bnwc", down, ops.cast(ab, "float32"))
    colors = ops.einsum("bnw,bnwc->bnc", across, strips) / area[..., None]
    colors = ops.concatenate([colors, ops.ones_like(area)[..., None]], axis=-1)
    painted = ops.einsum("bnh,bnwc->bhwc", down, across[..., None] * colors[:, :, None])
    return painted / ops.maximum(painted[..., 2:], 1.0)
