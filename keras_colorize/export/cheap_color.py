"""The colour conversion of exported graphs: `color`'s, in the few operators that every runtime has and accelerates.

A table of 256 entries for the sRGB curve of 8-bit photos, products and sums for the matrices, exp and log for powers;
every piecewise curve is written with minimum and maximum, so that no comparison or selection is left. The results
are those of `color` to the rounding of float32 (`tests/test_export_graph.py`).
"""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from keras_colorize.color import lab as color

# How finely the gamut's edge is found: a colour outside loses at most this power of 1/2 of its chroma too much.
# [choice] Two steps fewer than `color.clip_chroma`: at most 1/64, a quarter of the time of a phone's conversion.
BISECTIONS = 6


@functools.cache
def linear_table() -> np.ndarray:
    """Linear light of each of the 256 levels, (256,) float32."""
    with tf.init_scope():  # a value, also while a graph is being traced
        return np.asarray(color.rgb_to_linear(np.arange(256, dtype=np.float32) / 255.0))


def lightness(rgb_u8: Any) -> Any:
    """Photos uint8 (…, 3) → L (…, 1) float32 in [0, 100]."""
    linear = tf.gather(linear_table(), tf.cast(rgb_u8, tf.int32))
    red, green, blue = tf.split(linear, 3, axis=-1)
    row = color._UNIT_XYZ_FROM_RGB[1]
    return 116.0 * _f(row[0] * red + row[1] * green + row[2] * blue) - 16.0


def recolored(L: Any, ab: Any) -> Any:
    """L (…, 1) and ab (…, 2) in CIE units → photos uint8 (…, 3), chroma in gamut along its hue, rounded."""
    y = (L + 16.0) / 116.0
    a, b = tf.split(ab, 2, axis=-1)
    share = _gamut_share(y, a, b)
    linear = tf.concat(_linear_rgb(y, share * a, share * b), axis=-1)
    return tf.cast(_levels(linear), tf.uint8)


def _levels(linear: Any) -> Any:
    """Linear light (…) → the nearest level, float32 in 0…255. At the knee both pieces of the sRGB curve agree."""
    knee = color._LINEAR_KNEE
    linear = tf.clip_by_value(linear, 0.0, 1.0)
    power = 1.055 * tf.exp(tf.math.log(tf.maximum(linear, knee)) * (1.0 / 2.4)) - 0.055
    encoded = power + 12.92 * (tf.minimum(linear, knee) - knee)
    return tf.floor(tf.clip_by_value(encoded, 0.0, 1.0) * 255.0 + 0.5)


def _gamut_share(y: Any, a: Any, b: Any) -> Any:
    """The share of the chroma that sRGB can show, 1 where all of it; `y` is f(Y)."""
    share, step = tf.zeros_like(y), 0.5
    for _ in range(BISECTIONS):
        share += step * _shown(y, (share + step) * a, (share + step) * b)
        step /= 2.0
    return tf.maximum(share, _shown(y, a, b))


def _shown(y: Any, a: Any, b: Any) -> Any:
    """1.0 where sRGB has the colour, else 0.0."""
    red, green, blue = _linear_rgb(y, a, b)
    least = tf.minimum(tf.minimum(red, green), blue)
    most = tf.maximum(tf.maximum(red, green), blue)
    outside = tf.maximum(-color._DARK_TOLERANCE - least, most - (1.0 + color._BRIGHT_TOLERANCE))
    return 1.0 - tf.minimum(tf.maximum(outside, 0.0) * 1e12, 1.0)  # a step, without a comparison


def _linear_rgb(y: Any, a: Any, b: Any) -> list[Any]:
    """Linear R, G and B, not clipped, of f(Y) and chroma."""
    x, z = _f_inverse(y + a / 500.0), _f_inverse(tf.maximum(y - b / 200.0, 0.0))
    y = _f_inverse(y)
    return [row[0] * x + row[1] * y + row[2] * z for row in color._RGB_FROM_UNIT_XYZ]


def _f(t: Any) -> Any:
    """CIE's f. Its straight piece is the tangent of the root at the knee, so it adds to the root held there."""
    knee = color._DELTA**3
    return tf.exp(tf.math.log(tf.maximum(t, knee)) / 3.0) + color._SLOPE * (tf.minimum(t, knee) - knee)


def _f_inverse(f: Any) -> Any:
    cube = tf.maximum(f, color._DELTA)
    return cube * cube * cube + (tf.minimum(f, color._DELTA) - color._DELTA) / color._SLOPE
