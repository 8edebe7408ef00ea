"""sRGB ↔ CIELAB (illuminant D65, 2° observer): pure functions on `keras.ops`.

Every function takes any batch shape and works on any Keras backend and inside compiled code. All compute in float32,
whatever the input's type and the dtype policy: in bfloat16 a* and b* would be off by whole units. `docs/numerics.md`
has the formulas, the accuracy and the speed.

Ranges: `rgb` is in [0, 1], `rgb_u8` in 0…255, `lab` in CIE units. Colours of sRGB have L in [0, 100], a in [-87, 99]
and b in [-108, 95].

Sources: IEC 61966-2-1:1999 (the sRGB transfer curve) and CIE 15:2004, section 8.2.1 (CIELAB).
"""

import numpy as np

from keras_colorize.color.operations import keras_ops as ops
from keras_colorize.color.standards import (
    DELTA,
    ENCODED_KNEE,
    LAB_LIMIT,
    LINEAR_KNEE,
    OFFSET,
    RGB_FROM_UNIT_XYZ,
    SLOPE,
    UNIT_XYZ_FROM_RGB,
)
from keras_colorize.errors import ColorizeError
from keras_colorize.lazy import LateModule
from keras_colorize.tensor import Tensor

_backend = LateModule("keras.backend")


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """sRGB → CIELAB.

    Args:
        rgb: `(..., 3)` floats in [0, 1]. Values slightly outside, such as noise makes, follow the same curves.

    Returns:
        `(..., 3)` float32: L in [0, 100], a, b in CIE units. Within 1e-3 of scikit-image's `rgb2lab`.

    Raises:
        ColorizeError: the last axis is not 3, or `rgb` holds integers.
    """
    r, g, b = (_to_linear(channel) for channel in channels(rgb, "rgb_to_lab"))
    x, y, z = (_f(t) for t in _times(UNIT_XYZ_FROM_RGB, r, g, b))
    return ops.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def lab_to_rgb(lab: Tensor, clip: bool = True) -> Tensor:
    """CIELAB → sRGB. The result is finite for any Lab without NaN.

    Args:
        lab: `(..., 3)` floats in CIE units. Values beyond ±10,000 count as ±10,000.
        clip: clip the channels of colours outside sRGB to [0, 1]. A clipped channel has no gradient. `False` extends
            the curves beyond [0, 1] instead, which suits losses on RGB and tests of the gamut.

    Returns:
        `(..., 3)` float32 sRGB.

    Raises:
        ColorizeError: the last axis is not 3, or `lab` holds integers.
    """
    L, a, b = (ops.clip(channel, -LAB_LIMIT, LAB_LIMIT) for channel in channels(lab, "lab_to_rgb"))
    linear = _linear_rgb((L + 16.0) / 116.0, a, b)
    rgb = ops.stack([_from_linear(channel) for channel in linear], axis=-1)
    return ops.clip(rgb, 0.0, 1.0) if clip else rgb


def rgb_to_linear(rgb: Tensor) -> Tensor:
    """Undo the sRGB transfer curve (IEC 61966-2-1) for each value.

    Args:
        rgb: floats in [0, 1], any shape. The straight segment extends below 0.

    Returns:
        float32 of that shape, proportional to light, 0 → 0 and 1 → 1.

    Raises:
        ColorizeError: `rgb` holds integers.
    """
    return _to_linear(_float32(rgb, "rgb_to_linear"))


def rgb_from_u8(rgb_u8: Tensor) -> Tensor:
    """Convert uint8 0…255 to float32 in [0, 1], any shape.

    Raises:
        ColorizeError: `rgb_u8` is not uint8.
    """
    dtype = _dtype(rgb_u8)
    if dtype != "uint8":
        raise ColorizeError(f"rgb_from_u8 expects uint8, got {dtype}: floats need no conversion")
    return ops.cast(rgb_u8, "float32") / 255.0


def rgb_to_u8(rgb: Tensor) -> Tensor:
    """Round floats in [0, 1] to the nearest of uint8 0…255, any shape. Values outside are clipped.

    Raises:
        ColorizeError: `rgb` holds integers.
    """
    return ops.cast(ops.round(ops.clip(_float32(rgb, "rgb_to_u8"), 0.0, 1.0) * 255.0), "uint8")


def _power(x: Tensor, exponent: float) -> Tensor:
    """Compute `x ** exponent` for x > 0 as exp(log(x) · exponent).

    A general power handles signs, zeros and whole exponents and carries extra digits, which costs as much as several
    exps. Written this way the whole conversion runs 2 to 4 times faster on CPUs, with an error of a few units in the
    last place.
    """
    return ops.exp(ops.log(x) * exponent)


# Each piecewise curve raises its argument to the knee before the power, and selects afterwards. Both branches then
# have finite values and gradients everywhere. Otherwise the branch that is not taken would give 0 · inf = NaN at black.


def _to_linear(x: Tensor) -> Tensor:
    power = _power((ops.maximum(x, ENCODED_KNEE) + 0.055) / 1.055, 2.4)
    return ops.where(x > ENCODED_KNEE, power, x / 12.92)


def _from_linear(x: Tensor) -> Tensor:
    power = 1.055 * _power(ops.maximum(x, LINEAR_KNEE), 1.0 / 2.4) - 0.055
    return ops.where(x > LINEAR_KNEE, power, x * 12.92)


def _f(t: Tensor) -> Tensor:
    root = _power(ops.maximum(t, DELTA**3), 1.0 / 3.0)
    return ops.where(t > DELTA**3, root, t * SLOPE + OFFSET)


def _f_inverse(f: Tensor) -> Tensor:
    return ops.where(f > DELTA, f * f * f, (f - OFFSET) / SLOPE)


def _linear_rgb(y: Tensor, a: Tensor, b: Tensor) -> list[Tensor]:
    """Compute linear R, G and B, not clipped, from y = f(Y) = (L + 16) / 116 and chroma in CIE units."""
    x = y + a / 500.0
    # As in scikit-image. This changes only dark yellows far outside the gamut, where Z would be negative.
    z = ops.maximum(y - b / 200.0, 0.0)
    return _times(RGB_FROM_UNIT_XYZ, _f_inverse(x), _f_inverse(y), _f_inverse(z))


def _times(matrix: list[list[float]], u: Tensor, v: Tensor, w: Tensor) -> list[Tensor]:
    """Multiply a 3×3 matrix by (u, v, w), written out as nine products.

    A GPU's matmul and convolution round float32 to 10 bits of mantissa by default (TensorFloat-32), which would put
    Lab up to 0.07 off. With separate channels, only the last stack touches the interleaved layout.
    """
    return [row[0] * u + row[1] * v + row[2] * w for row in matrix]


def channels(x: Tensor, function: str) -> list[Tensor]:
    """Split `(..., 3)` floats into three float32 channels `(...)`.

    Raises:
        ColorizeError: the last axis is not 3, or `x` holds integers; the message names `function`.
    """
    x = _float32(x, function)
    if len(x.shape) == 0 or x.shape[-1] not in (3, None):
        raise ColorizeError(f"{function} expects shape (..., 3), got {tuple(x.shape)}: put the channels last")
    return ops.unstack(x, 3, axis=-1)


def _float32(x: Tensor, function: str) -> Tensor:
    dtype = _dtype(x)
    if "float" not in dtype:
        raise ColorizeError(f"{function} expects floats, got {dtype}: use rgb_from_u8 for uint8 images, else cast")
    return ops.cast(x, "float32")


def _dtype(x: Tensor) -> str:
    return _backend.standardize_dtype(x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype)
