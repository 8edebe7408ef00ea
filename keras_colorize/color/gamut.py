"""The sRGB gamut: bring colours into it with lightness and hue kept. Works on any Keras backend.

`docs/numerics.md` describes the method and its errors.
"""

from keras import ops

from keras_colorize.color.lab import channels
from keras_colorize.color.largest_chroma import (
    BISECTIONS,
    is_yellow,
    largest_chroma,
    linear_light,
    shows,
    table_share,
)
from keras_colorize.color.standards import LAB_LIMIT
from keras_colorize.tensor import Tensor


def clip_chroma(lab: Tensor) -> Tensor:
    """Bring colours into the sRGB gamut with lightness and hue kept: only the distance from grey becomes smaller.

    Clipping R, G and B one by one, as `lab_to_rgb` does, changes lightness and hue instead: bright blue becomes cyan.
    This function reads the largest chroma of sRGB from a table. Where the table is not exact enough, it searches by
    bisection.

    Args:
        lab: `(..., 3)` floats in CIE units.

    Returns:
        `(..., 3)` float32. Colours in gamut stay as they are. Other colours end at most 0.5 CIE units, or 1/4096 of
        the requested chroma, below the edge of the gamut. Below L 0 and above L 100 no chroma is left. Not for losses:
        tables have no useful gradient.

    Raises:
        ColorizeError: the last axis is not 3, or `lab` holds integers.
    """
    L, a, b = (ops.clip(channel, -LAB_LIMIT, LAB_LIMIT) for channel in channels(lab, "clip_chroma"))
    y = (L + 16.0) / 116.0

    def shown(share: Tensor) -> Tensor:
        return shows(ops, linear_light(ops, y, y + share * a / 500.0, y - share * b / 200.0))

    def halve(_: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        share, step = state
        return ops.where(shown(share + step), share + step, share), step / 2.0

    def search() -> Tensor:
        # A loop rather than copies: XLA would fuse the copies into a kernel that computes the first of them 2¹² times.
        start = (ops.zeros_like(L), ops.convert_to_tensor(0.5, "float32"))
        return ops.where(searched, ops.fori_loop(0, BISECTIONS, halve, start)[0], share)

    whole = shown(ops.ones_like(L))
    share = ops.where(whole, 1.0, table_share(ops, largest_chroma(), L, a, b))
    searched = ops.logical_or(is_yellow(ops, L, a, b), ops.logical_not(shown(share)))
    searched = ops.logical_and(ops.logical_and(ops.logical_not(whole), share > 0.0), searched)
    share = ops.cond(ops.any(searched), search, lambda: share)
    return ops.stack([L, share * a, share * b], axis=-1)
