"""The sRGB gamut: bring colours into it with lightness and hue kept. Works on any Keras backend.

`docs/numerics.md` describes the method and its errors.
"""

from keras import ops

from keras_colorize.color.lab import LAB_LIMIT, channels, linear_rgb
from keras_colorize.tensor import Tensor

# How far linear light may lie outside [0, 1] for a colour to count as in gamut: more than the rounding of a round trip
# through Lab, so that a photo's colours pass, and less than one level of 16 bits.
DARK_TOLERANCE = 1e-6
BRIGHT_TOLERANCE = 2e-5

_BISECTIONS = 10


def clip_chroma(lab: Tensor) -> Tensor:
    """Bring colours into the sRGB gamut with lightness and hue kept: only the distance from grey becomes smaller.

    Clipping R, G and B one by one, as `lab_to_rgb` does, changes lightness and hue instead: bright blue becomes cyan.
    This function finds the largest share of the chroma that sRGB has by bisection.

    Args:
        lab: `(..., 3)` floats in CIE units.

    Returns:
        `(..., 3)` float32. Colours in gamut stay as they are. Other colours lose at most 1/1024 of the requested chroma
        more than necessary. Below L 0 and above L 100 no chroma is left. Not for losses: the bisection has no gradient.

    Raises:
        ColorizeError: the last axis is not 3, or `lab` holds integers.
    """
    L, a, b = (ops.clip(channel, -LAB_LIMIT, LAB_LIMIT) for channel in channels(lab, "clip_chroma"))
    y = (L + 16.0) / 116.0

    def shown(share: Tensor) -> Tensor:
        linear = linear_rgb(y, share * a, share * b)
        least = ops.minimum(ops.minimum(linear[0], linear[1]), linear[2])
        most = ops.maximum(ops.maximum(linear[0], linear[1]), linear[2])
        return ops.logical_and(least >= -DARK_TOLERANCE, most <= 1.0 + BRIGHT_TOLERANCE)

    def halve(_: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        share, step = state
        return ops.where(shown(share + step), share + step, share), step / 2.0

    # A loop rather than ten copies: XLA would fuse the copies into a kernel that computes the first of them 2¹⁰ times.
    start = (ops.zeros_like(L), ops.convert_to_tensor(0.5, "float32"))
    share, _ = ops.fori_loop(0, _BISECTIONS, halve, start)
    share = ops.where(shown(ops.ones_like(L)), 1.0, share)
    return ops.stack([L, share * a, share * b], axis=-1)
