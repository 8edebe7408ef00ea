"""The colour conversion of graphs for other runtimes: that of `color` in operators that every runtime accelerates.

Photos are converted as planes (B, H, W), one for each channel. The runtimes broadcast a constant over a plane in one
sweep; over (B, H, W, 1), onnxruntime takes each pixel as a row of its own, which is a hundred times slower.

The sRGB curve of 8-bit photos is a table of 256 entries, the matrices are products and sums, powers are exp and log.
Piecewise curves are written with minimum and maximum. Where the runtime gathers quickly, only pixels outside the gamut
are gathered and brought into it, by the tables of `color.largest_chroma`; elsewhere all are bisected. The results are
those of `color` to the rounding of float32, and at the gamut's edge to the coarseness of the tables or of the bisection
(`tests/test_export_graph.py`).
"""

import functools
from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from keras_colorize.color import lab, standards
from keras_colorize.color.largest_chroma import largest_chroma, linear_light, shows, table_share
from keras_colorize.tensor import Tensor

# [choice] Every so many hues of the gamut's tables: 0.6 MB instead of 2.3 in each file, and up to 2 CIE units of chroma
# less at the sharpest corner, dark blue.
COARSENESS = 4

# How finely the gamut's edge is found: a colour outside loses at most this power of 1/2 of its chroma too much.
# [choice] At most 1/64: ten steps would take four times as long as the rest of a phone's conversion.
BISECTIONS = 6

_ops = SimpleNamespace(
    abs=tf.abs,
    cast=tf.cast,
    clip=tf.clip_by_value,
    floor=tf.floor,
    logical_and=tf.logical_and,
    maximum=tf.maximum,
    minimum=tf.minimum,
    take=tf.gather,
    where=tf.where,
)


@functools.cache
def linear_table() -> np.ndarray:
    """Return the linear light of each of the 256 levels: (256,) float32."""
    with tf.init_scope():  # a value, also while a graph is being traced
        return np.asarray(lab.rgb_to_linear(np.arange(256, dtype=np.float32) / 255.0))


def lightness(rgb_u8: Tensor, lookup: bool = True) -> Tensor:
    """Convert photos uint8 (…, 3) to L (…) float32 in [0, 100].

    lookup: decode levels by a table, which is the quickest in most runtimes. onnxruntime copies one number at a time,
        so that powers are quicker there.
    """
    if lookup:
        red, green, blue = split(tf.gather(linear_table(), tf.cast(rgb_u8, tf.int32)))
    else:
        red, green, blue = (_decoded(tf.cast(channel, tf.float32)) for channel in split(rgb_u8))
    row = standards.UNIT_XYZ_FROM_RGB[1]
    return 116.0 * _f(row[0] * red + row[1] * green + row[2] * blue) - 16.0


def colorized(L: Tensor, a: Tensor, b: Tensor, gather: bool = True) -> Tensor:
    """Convert L (…) and chroma a, b (…) in CIE units to photos uint8 (…, 3), with chroma in gamut along its hue.

    gather: bring only the pixels outside into the gamut, by tables. Otherwise all pixels are bisected alike, in
        operators that XNNPACK takes: it has none that gathers.
    """
    if gather:
        light = light_in_gamut(L, a, b)
    else:
        y = (L + 16.0) / 116.0
        share = gamut_share(y, a, b)
        light = _linear_rgb(y, share * a, share * b)
    levels = [_levels(linear) for linear in light]
    return tf.cast(interleaved(levels), tf.uint8)


def light_in_gamut(L: Tensor, a: Tensor, b: Tensor) -> list[Tensor]:
    """Compute linear R, G and B (…) of L (…) and a, b (…) in CIE units, with chroma in gamut along its hue.

    Where a table is above the edge by its rounding, a channel passes [0, 1] by as little.
    """
    y = (L + 16.0) / 116.0
    light = linear_light(_ops, y, y + a * (1.0 / 500.0), y - b * (1.0 / 200.0))
    outside = tf.where(tf.reshape(tf.logical_not(shows(_ops, light)), (-1,)))  # (K, 1)
    places = tf.squeeze(outside, axis=-1)
    L_outside, a_outside, b_outside = (tf.gather(tf.reshape(plane, (-1,)), places) for plane in (L, a, b))
    share = table_share(_ops, largest_chroma(COARSENESS), L_outside, a_outside, b_outside)
    y = (L_outside + 16.0) / 116.0
    x, z = y + share * a_outside * (1.0 / 500.0), y - share * b_outside * (1.0 / 200.0)
    size = tf.size(light[0])
    result = []
    for channel, shortened in zip(light, linear_light(_ops, y, x, z), strict=True):
        change = shortened - tf.gather(tf.reshape(channel, (-1,)), places)
        changes = tf.scatter_nd(tf.cast(outside, tf.int32), change, (size,))
        result.append(channel + tf.reshape(changes, tf.shape(channel)))
    return result


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
    knee = standards.LINEAR_KNEE
    linear = tf.clip_by_value(linear, 0.0, 1.0)
    power = 1.055 * tf.exp(tf.math.log(tf.maximum(linear, knee)) * (1.0 / 2.4)) - 0.055
    encoded = power + 12.92 * (tf.minimum(linear, knee) - knee)
    return tf.floor(tf.clip_by_value(encoded, 0.0, 1.0) * 255.0 + 0.5)


def _shown(y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return 1.0 where sRGB has the colour, else 0.0."""
    red, green, blue = _linear_rgb(y, a, b)
    least = tf.minimum(tf.minimum(red, green), blue)
    most = tf.maximum(tf.maximum(red, green), blue)
    outside = tf.maximum(-standards.DARK_TOLERANCE - least, most - (1.0 + standards.BRIGHT_TOLERANCE))
    return 1.0 - tf.minimum(tf.maximum(outside, 0.0) * 1e12, 1.0)  # a step, without a comparison


def _linear_rgb(y: Tensor, a: Tensor, b: Tensor) -> list[Tensor]:
    """Compute linear R, G and B, not clipped, from y = f(Y) and chroma."""
    x, z = _f_inverse(y + a / 500.0), _f_inverse(tf.maximum(y - b / 200.0, 0.0))
    y = _f_inverse(y)
    return [row[0] * x + row[1] * y + row[2] * z for row in standards.RGB_FROM_UNIT_XYZ]


def _decoded(level: Tensor) -> Tensor:
    """Convert levels, float32 in 0…255, to linear light."""
    encoded = level * (1.0 / 255.0)
    power = tf.exp(tf.math.log((encoded + 0.055) * (1.0 / 1.055)) * 2.4)
    return tf.where(encoded > standards.ENCODED_KNEE, power, encoded * (1.0 / 12.92))


def _f(t: Tensor) -> Tensor:
    """Compute CIE's f. Its straight piece is the tangent of the root at the knee, so it adds to the root held there."""
    knee = standards.DELTA**3
    return tf.exp(tf.math.log(tf.maximum(t, knee)) / 3.0) + standards.SLOPE * (tf.minimum(t, knee) - knee)


def _f_inverse(f: Tensor) -> Tensor:
    cube = tf.maximum(f, standards.DELTA)
    return cube * cube * cube + (tf.minimum(f, standards.DELTA) - standards.DELTA) / standards.SLOPE
