"""The colour conversion of graphs for other runtimes: that of `color` in operators that every runtime accelerates.

Photos are converted as planes (B, H, W), one for each channel. The runtimes broadcast a constant over a plane in one
sweep; over (B, H, W, 1), onnxruntime takes each pixel as a row of its own, which is a hundred times slower.

The sRGB curve of 8-bit photos is a table of 256 entries, the matrices are products and sums, powers are exp and log.
Piecewise curves are written with minimum and maximum, so that no comparison or selection is left. The results are those
of `color` to the rounding of float32 (`tests/test_export_graph.py`).
"""

import functools

import numpy as np
import tensorflow as tf

from keras_colorize.color import gamut, lab
from keras_colorize.tensor import Tensor

# How finely the gamut's edge is found: a colour outside loses at most this power of 1/2 of its chroma too much.
# [choice] Four steps fewer than `clip_chroma`: at most 1/64, a quarter of the time of a phone's conversion.
BISECTIONS = 6


@functools.cache
def linear_table() -> np.ndarray:
    """Return the linear light of each of the 256 levels: (256,) float32."""
    with tf.init_scope():  # a value, also while a graph is being traced
        return np.asarray(lab.rgb_to_linear(np.arange(256, dtype=np.float32) / 255.0))


def lightness(rgb_u8: Tensor) -> Tensor:
    """Convert photos uint8 (…, 3) to L (…) float32 in [0, 100]."""
    red, green, blue = split(tf.gather(linear_table(), tf.cast(rgb_u8, tf.int32)))
    row = lab.UNIT_XYZ_FROM_RGB[1]
    return 116.0 * _f(row[0] * red + row[1] * green + row[2] * blue) - 16.0


def colorized(L: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Convert L (…) and chroma a, b (…) in CIE units to photos uint8 (…, 3), with chroma in gamut along its hue."""
    y = (L + 16.0) / 116.0
    share = gamut_share(y, a, b)
    levels = [_levels(linear) for linear in _linear_rgb(y, share * a, share * b)]
    return tf.cast(interleaved(levels), tf.uint8)


def interleaved(planes: Tensor) -> Tensor:
    """Join C planes (…) into (…, C): `tf.stack`, for which XNNPACK has no operator."""
    return tf.concat([tf.expand_dims(plane, -1) for plane in planes], axis=-1)


def split(x: Tensor) -> list[Tensor]:
    """Split (…, C) into C planes (…)."""
    return [tf.squeeze(plane, axis=-1) for plane in tf.split(x, x.shape[-1], axis=-1)]


def gamut_share(y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Find the share of the chroma that sRGB can show, 1 where it shows all of it; `y` is f(Y)."""
    share, step = tf.zeros_like(y), 0.5
    for _ in range(BISECTIONS):
        share += step * _shown(y, (share + step) * a, (share + step) * b)
        step /= 2.0
    return tf.maximum(share, _shown(y, a, b))


def _levels(linear: Tensor) -> Tensor:
    """Convert linear light to the nearest level, float32 in 0…255. At the knee both pieces of the sRGB curve agree."""
    knee = lab.LINEAR_KNEE
    linear = tf.clip_by_value(linear, 0.0, 1.0)
    power = 1.055 * tf.exp(tf.math.log(tf.maximum(linear, knee)) * (1.0 / 2.4)) - 0.055
    encoded = power + 12.92 * (tf.minimum(linear, knee) - knee)
    return tf.floor(tf.clip_by_value(encoded, 0.0, 1.0) * 255.0 + 0.5)


def _shown(y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return 1.0 where sRGB has the colour, else 0.0."""
    red, green, blue = _linear_rgb(y, a, b)
    least = tf.minimum(tf.minimum(red, green), blue)
    most = tf.maximum(tf.maximum(red, green), blue)
    outside = tf.maximum(-gamut.DARK_TOLERANCE - least, most - (1.0 + gamut.BRIGHT_TOLERANCE))
    return 1.0 - tf.minimum(tf.maximum(outside, 0.0) * 1e12, 1.0)  # a step, without a comparison


def _linear_rgb(y: Tensor, a: Tensor, b: Tensor) -> list[Tensor]:
    """Compute linear R, G and B, not clipped, from y = f(Y) and chroma."""
    x, z = _f_inverse(y + a / 500.0), _f_inverse(tf.maximum(y - b / 200.0, 0.0))
    y = _f_inverse(y)
    return [row[0] * x + row[1] * y + row[2] * z for row in lab.RGB_FROM_UNIT_XYZ]


def _f(t: Tensor) -> Tensor:
    """Compute CIE's f. Its straight piece is the tangent of the root at the knee, so it adds to the root held there."""
    knee = lab.DELTA**3
    return tf.exp(tf.math.log(tf.maximum(t, knee)) / 3.0) + lab.SLOPE * (tf.minimum(t, knee) - knee)


def _f_inverse(f: Tensor) -> Tensor:
    cube = tf.maximum(f, lab.DELTA)
    return cube * cube * cube + (tf.minimum(f, lab.DELTA) - lab.DELTA) / lab.SLOPE
