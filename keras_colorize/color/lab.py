"""sRGB ↔ CIELAB (illuminant D65, 2° observer), and the sRGB gamut: pure functions on `keras.ops`.

Every function takes any batch shape, works on any Keras backend and inside compiled code, and
computes in float32 whatever comes in and whatever the dtype policy: in bfloat16 a* and b* would be
whole units off. Formulas, accuracy and speed: `docs/numerics.md`.

Ranges: `rgb` in [0, 1]; `rgb_u8` 0…255; `lab` in CIE units: what sRGB can show has L in [0, 100],
a in [-87, 99], b in [-108, 95].

Sources: IEC 61966-2-1:1999 (the sRGB transfer curve) and CIE 15:2004, section 8.2.1 (CIELAB).
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_colorize.errors import ColorizeError

# XYZ of D65 for the 2° observer, Y = 1 (ASTM E308, as scikit-image has it).
WHITE_D65 = (0.95047, 1.0, 1.08883)

# [choice] Linear sRGB → XYZ. IEC 61966-2-1 prints this matrix to four digits. This is the six-digit one of
# scikit-image and OpenCV, so that figures agree with theirs. Its rows sum to (0.950456, 1, 1.088754), not exactly
# to the white point: white has a = -0.0025, b = 0.0047, as in scikit-image.
XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)

# The same matrix between linear RGB and XYZ / white, which is all that CIELAB needs.
_UNIT_XYZ_FROM_RGB = (np.array(XYZ_FROM_RGB) / np.array(WHITE_D65)[:, None]).tolist()
_RGB_FROM_UNIT_XYZ = np.linalg.inv(_UNIT_XYZ_FROM_RGB).tolist()

# IEC 61966-2-1: up to these values the curve is the straight line linear = encoded / 12.92.
_ENCODED_KNEE = 0.04045
_LINEAR_KNEE = 0.0031308

# CIE 15: f(t) = cube root of t above δ³, and the straight line that touches it there below.
# scikit-image rounds the slope to 7.787 and the knee to 0.008856, hence up to 2e-4 between us.
_DELTA = 6.0 / 29.0
_SLOPE = 1.0 / (3.0 * _DELTA**2)
_OFFSET = 4.0 / 29.0

# What `clip_chroma` takes for the edge of the gamut, in linear light: the rounding of a round trip lies within, so that
# colours of a photo pass, and a 16-bit level does not.
_DARK_TOLERANCE = 1e-6
_BRIGHT_TOLERANCE = 2e-5
_BISECTIONS = 10

# Beyond this no number is a colour. Lab is cut here so that cubes and matrix cannot overflow into inf - inf.
_LAB_LIMIT = 1e4


def rgb_to_lab(rgb: Any) -> Any:
    """sRGB → CIELAB.

    Args:
        rgb: `(..., 3)` floats in [0, 1]. Values a little outside, as noise makes them, follow the same curves.

    Returns:
        `(..., 3)` float32: L in [0, 100], a, b in CIE units. Within 1e-3 of scikit-image's `rgb2lab`.

    Raises:
        ColorizeError: the last axis is not 3, or `rgb` holds integers.
    """
    r, g, b = (_to_linear(channel) for channel in _channels(rgb, "rgb_to_lab"))
    x, y, z = (_f(t) for t in _times(_UNIT_XYZ_FROM_RGB, r, g, b))
    return ops.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def lab_to_rgb(lab: Any, clip: bool = True) -> Any:
    """CIELAB → sRGB, finite for any Lab.

    Args:
        lab: `(..., 3)` floats in CIE units. Values beyond ±10,000 count as ±10,000.
        clip: cut colours that sRGB cannot show to [0, 1], which stops their gradients. `False` lets them pass,
            extended along the curves: for losses on RGB and for tests of gamut.

    Returns:
        `(..., 3)` float32 sRGB.

    Raises:
        ColorizeError: the last axis is not 3, or `lab` holds integers.
    """
    L, a, b = (ops.clip(channel, -_LAB_LIMIT, _LAB_LIMIT) for channel in _channels(lab, "lab_to_rgb"))
    linear = _linear_rgb((L + 16.0) / 116.0, a, b)
    rgb = ops.stack([_from_linear(channel) for channel in linear], axis=-1)
    return ops.clip(rgb, 0.0, 1.0) if clip else rgb


def in_gamut(lab: Any, tolerance: float = 1e-4) -> Any:
    """Which colours sRGB can show.

    Args:
        lab: `(..., 3)` floats in CIE units.
        tolerance: how far R, G and B may lie outside [0, 1]. The default allows for the rounding of a
            round trip; `0.5 / 255` allows whatever an 8-bit photo does not show.

    Returns:
        `(...)` bool. NaN is outside.

    Raises:
        ColorizeError: the last axis is not 3, or `lab` holds integers.
    """
    rgb = lab_to_rgb(lab, clip=False)
    return ops.all(ops.logical_and(rgb >= -tolerance, rgb <= 1.0 + tolerance), axis=-1)


def clip_chroma(lab: Any) -> Any:
    """Bring colours into the sRGB gamut with lightness and hue kept: only the distance from grey becomes smaller.

    The largest share of the chroma that sRGB can show is found by bisection. Cutting R, G and B one by one, as
    `lab_to_rgb` does, changes lightness and hue instead: bright blue becomes cyan.

    Args:
        lab: `(..., 3)` floats in CIE units.

    Returns:
        `(..., 3)` float32. Colours in gamut are as they were; of others the chroma is at most 1/1024 of what was asked
        for below the largest possible. Beyond L 0 and 100 no chroma is left. Not for losses: the bisection has no
        gradient.

    Raises:
        ColorizeError: the last axis is not 3, or `lab` holds integers.
    """
    L, a, b = (ops.clip(channel, -_LAB_LIMIT, _LAB_LIMIT) for channel in _channels(lab, "clip_chroma"))
    y = (L + 16.0) / 116.0

    def shown(share: Any) -> Any:
        linear = _linear_rgb(y, share * a, share * b)
        least = ops.minimum(ops.minimum(linear[0], linear[1]), linear[2])
        most = ops.maximum(ops.maximum(linear[0], linear[1]), linear[2])
        return ops.logical_and(least >= -_DARK_TOLERANCE, most <= 1.0 + _BRIGHT_TOLERANCE)

    def halve(_: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
        share, step = state
        return ops.where(shown(share + step), share + step, share), step / 2.0

    # A loop, not ten copies: XLA would fuse those into one kernel that computes the first of them 2¹⁰ times.
    start = (ops.zeros_like(L), ops.convert_to_tensor(0.5, "float32"))
    share, _ = ops.fori_loop(0, _BISECTIONS, halve, start)
    share = ops.where(shown(ops.ones_like(L)), 1.0, share)
    return ops.stack([L, share * a, share * b], axis=-1)


def rgb_to_linear(rgb: Any) -> Any:
    """Undo the sRGB transfer curve (IEC 61966-2-1), value by value.

    Args:
        rgb: floats in [0, 1], any shape. Below 0 the straight segment goes on.

    Returns:
        float32 of that shape, proportional to light, 0 → 0 and 1 → 1.

    Raises:
        ColorizeError: `rgb` holds integers.
    """
    return _to_linear(_float32(rgb, "rgb_to_linear"))


def linear_to_rgb(linear: Any) -> Any:
    """Apply the sRGB transfer curve (IEC 61966-2-1), value by value; inverse of `rgb_to_linear`.

    Args:
        linear: floats in [0, 1], any shape. Nothing is clipped.

    Returns:
        float32 of that shape.

    Raises:
        ColorizeError: `linear` holds integers.
    """
    return _from_linear(_float32(linear, "linear_to_rgb"))


def rgb_from_u8(rgb_u8: Any) -> Any:
    """uint8 0…255 → float32 [0, 1], any shape.

    Raises:
        ColorizeError: `rgb_u8` is not uint8.
    """
    dtype = _dtype(rgb_u8)
    if dtype != "uint8":
        raise ColorizeError(f"rgb_from_u8 expects uint8, got {dtype}: floats need no conversion")
    return ops.cast(rgb_u8, "float32") / 255.0


def rgb_to_u8(rgb: Any) -> Any:
    """Floats in [0, 1] → the nearest of uint8 0…255, any shape. Values outside are clipped.

    Raises:
        ColorizeError: `rgb` holds integers.
    """
    return ops.cast(ops.round(ops.clip(_float32(rgb, "rgb_to_u8"), 0.0, 1.0) * 255.0), "uint8")


def _power(x: Any, exponent: float) -> Any:
    """`x ** exponent` for x > 0, as exp(log(x) · exponent).

    The general power must be right for signs, zeros and whole exponents and carries extra digits, all of which costs
    several exps: written this way the whole conversion runs 2 to 4 times faster on CPUs, for an error of a few
    units in the last place.
    """
    return ops.exp(ops.log(x) * exponent)


# Each piecewise curve raises its argument to the knee before the power, and selects afterwards. Both branches then
# have finite values and gradients everywhere; otherwise the branch not taken would give 0 · inf = NaN at black.


def _to_linear(x: Any) -> Any:
    power = _power((ops.maximum(x, _ENCODED_KNEE) + 0.055) / 1.055, 2.4)
    return ops.where(x > _ENCODED_KNEE, power, x / 12.92)


def _from_linear(x: Any) -> Any:
    power = 1.055 * _power(ops.maximum(x, _LINEAR_KNEE), 1.0 / 2.4) - 0.055
    return ops.where(x > _LINEAR_KNEE, power, x * 12.92)


def _f(t: Any) -> Any:
    root = _power(ops.maximum(t, _DELTA**3), 1.0 / 3.0)
    return ops.where(t > _DELTA**3, root, t * _SLOPE + _OFFSET)


def _f_inverse(f: Any) -> Any:
    return ops.where(f > _DELTA, f * f * f, (f - _OFFSET) / _SLOPE)


def _linear_rgb(y: Any, a: Any, b: Any) -> list[Any]:
    """Linear R, G and B, not clipped, of f(Y) and chroma."""
    x = y + a / 500.0
    # As scikit-image does; it changes only dark yellows far outside the gamut, where Z would be negative.
    z = ops.maximum(y - b / 200.0, 0.0)
    return _times(_RGB_FROM_UNIT_XYZ, _f_inverse(x), _f_inverse(y), _f_inverse(z))


def _times(matrix: list[list[float]], u: Any, v: Any, w: Any) -> list[Any]:
    """A 3×3 matrix times (u, v, w), written out.

    A GPU's matmul and convolution round float32 to 10 bits of mantissa by default (TensorFloat-32), which would put
    Lab up to 0.07 off; and with channels apart, nothing but the last stack touches the interleaved layout.
    """
    return [row[0] * u + row[1] * v + row[2] * w for row in matrix]


def _channels(x: Any, function: str) -> list[Any]:
    x = _float32(x, function)
    if len(x.shape) == 0 or x.shape[-1] not in (3, None):
        raise ColorizeError(f"{function} expects shape (..., 3), got {tuple(x.shape)}: put the channels last")
    return ops.unstack(x, 3, axis=-1)


def _float32(x: Any, function: str) -> Any:
    dtype = _dtype(x)
    if "float" not in dtype:
        raise ColorizeError(f"{function} expects floats, got {dtype}: use rgb_from_u8 for uint8 images, else cast")
    return ops.cast(x, "float32")


def _dtype(x: Any) -> str:
    return keras.backend.standardize_dtype(x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype)
