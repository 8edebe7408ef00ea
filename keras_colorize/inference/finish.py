"""From chroma at the network's size to the coloured photo at its own.

Lightness stays the photo's own. Chroma is enlarged by a kind of fast guided filter, which lets it follow the photo's
edges, brought into the sRGB gamut along its hue, and joined with lightness strip by strip, so that little memory is
needed beside photo and result. `docs/inference.md` has the figures.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from keras_colorize.color.lab import clip_chroma, lab_to_rgb, rgb_to_lab, rgb_to_u8

# Pixels that are converted at a time, whatever the photo's width, so that XLA compiles once: a megabyte per channel.
BLOCK = 1 << 18

# Of the windows, in pixels and squared units of L at the network's size.
# [choice] Measured (docs/inference.md): nearer to the truth than bilinear on sharp photos, grainy ones too.
RADIUS = 1
EPSILON = 50.0

_WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


def guided_coefficients(L: Any, ab: Any, radius: int = RADIUS, epsilon: float = EPSILON) -> Any:
    """Chroma as a linear function of lightness around each place, by which it can be enlarged along edges.

    In each window a line is fitted by least squares, and a place takes the mean slope of all windows over it, as in the
    guided filter. That filter would take the mean offset too, which smooths what the network said; here the line goes
    through the place's own L and ab. Enlarged, this is the bilinear chroma plus slope times what lightness has beyond
    its own bilinear enlargement.

    With keras.ops only, so that it can be part of an exported graph.

    Args:
        L: `(B, h, w, 1)` lightness in [0, 100].
        ab: `(B, h, w, 2)` chroma in CIE units.
        radius: of the square windows, in pixels: sides of 2 · radius + 1, cut off at the borders.
        epsilon: in squared units of L. Where L varies by less than its root, chroma ignores lightness: grain does not
            become specks of colour.

    Returns:
        `(B, h, w, 4)` float32: slopes of a and b, then offsets; `ab = slope · L + offset` at each place.

    Source: after He and Sun 2015, Fast Guided Filter, https://arxiv.org/abs/1505.00996, algorithm 2.
    """
    L, ab = ops.cast(L, "float32"), ops.cast(ab, "float32")
    # Variance as a difference of large squares would lose digits: from the middle of L they are smaller.
    centered = L - 50.0
    means = _box_mean(ops.concatenate([centered, ab, centered * centered, centered * ab], axis=-1), radius)
    mean_L, mean_ab, mean_LL, mean_Lab = means[..., :1], means[..., 1:3], means[..., 3:4], means[..., 4:]
    slope = (mean_Lab - mean_L * mean_ab) / (ops.maximum(mean_LL - mean_L * mean_L, 0.0) + epsilon)
    slope = _box_mean(slope, radius)
    return ops.concatenate([slope, ab - slope * L], axis=-1)


def constant_coefficients(ab: Any) -> Any:
    """Chroma `(B, h, w, 2)` in the form of `guided_coefficients`, ignoring lightness: enlarged, it is bilinear."""
    return ops.concatenate([ops.zeros_like(ab), ab], axis=-1)


def recolored(pixels: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Colour a photo.

    Args:
        pixels: the photo, grey `(H, W)` or RGB `(H, W, 3)`; uint8, uint16, or float32 in [0, 1].
        coefficients: `(h, w, 4)` float32 of `guided_coefficients` over the whole photo, at any smaller or larger size.

    Returns:
        rgb `(H, W, 3)` of the photo's type: its lightness, to the rounding of that type, with chroma in gamut.
    """
    return recolored_batch(pixels[None], coefficients[None])[0]


def recolored_batch(pixels: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Colour photos of one size, each bit for bit as `recolored` colours it.

    Several small photos share a block of pixels, so that no block is computed for a few pixels only.

    Args:
        pixels: `(B, H, W)` or `(B, H, W, 3)`; uint8, uint16, or float32 in [0, 1].
        coefficients: `(B, h, w, 4)` float32, one map for each photo.

    Returns:
        rgb `(B, H, W, 3)` of the photos' type.
    """
    count, height, width = pixels.shape[:3]
    colored = np.empty((count, height, width, 3), pixels.dtype)
    lightness = _lightness_of(pixels)
    photos_in_block = max(1, BLOCK // (height * width))
    rows_in_block, columns_in_block = max(1, BLOCK // width), min(width, BLOCK)
    for start in range(0, count, photos_in_block):
        photos = slice(start, start + photos_in_block)
        # Columns first, at the few rows of the network: what is left for each strip is a small matrix product.
        columns = _enlarged_columns(coefficients[photos], width)
        for top in range(0, height, rows_in_block):
            rows = slice(top, min(top + rows_in_block, height))
            first, weights = _row_weights(rows, height, coefficients.shape[1])
            for left in range(0, width, columns_in_block):
                part = photos, rows, slice(left, left + columns_in_block)
                known = columns[:, :, first : first + weights.shape[1], part[2]]
                strip = _color_block(lightness(pixels[part]), weights, known, dtype=pixels.dtype.name)
                colored[part] = strip.numpy()[: colored[part].size // 3].reshape(colored[part].shape)
    return colored


def _box_mean(x: Any, radius: int) -> Any:
    """Mean over the square window around each place of (B, h, w, C); at the borders over what there is of it."""
    side = 2 * radius + 1
    x = ops.average_pool(x, (side, 1), strides=1, padding="same")
    return ops.average_pool(x, (1, side), strides=1, padding="same")


def _positions(length: int, known: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of `length` places the known place before it, and how far it is on the way to the next, in [0, 1].

    Pixel centres are aligned: place i lies at (i + 1/2) · known / length − 1/2. Beyond the outer centres nothing
    changes any more.
    """
    place = np.clip((np.arange(length) + 0.5) * (known / length) - 0.5, 0, known - 1)
    before = np.minimum(place.astype(np.int64), max(known - 2, 0))
    return before, (place - before).astype(np.float32)


def _enlarged_columns(coefficients: np.ndarray, width: int) -> np.ndarray:
    """Enlarge maps (B, h, w, 4) bilinearly along their rows and put channels first: (4, B, h, width)."""
    planes = np.ascontiguousarray(np.moveaxis(coefficients, -1, 0))
    before, share = _positions(width, planes.shape[3])
    enlarged = planes.take(np.minimum(before + 1, planes.shape[3] - 1), axis=3)
    left = planes.take(before, axis=3)
    enlarged -= left
    enlarged *= share
    enlarged += left
    return enlarged


def _row_weights(rows: slice, height: int, known: int) -> tuple[int, np.ndarray]:
    """The first known row that the rows of a strip lie at, and their bilinear weights (rows, known rows there)."""
    before, share = _positions(height, known)
    before, share = before[rows], share[rows]
    first = int(before[0])
    weights = np.zeros((len(before), min(int(before[-1]) + 2, known) - first), np.float32)
    place = np.arange(len(before))
    weights[place, before - first] = 1.0 - share
    weights[place, np.minimum(before - first + 1, weights.shape[1] - 1)] += share
    return first, weights


def _lightness_of(pixels: np.ndarray) -> Callable[[np.ndarray], Any]:
    """Return a function that turns a part of the photos into L, (n,) float32 in [0, 100]."""
    if pixels.ndim == 3 and pixels.dtype != np.float32:
        table = grey_lightness(pixels.dtype.name)
        return lambda part: table.take(part.ravel())
    dtype = pixels.dtype.name
    return lambda part: _lightness_block(part.reshape(-1, part.shape[3] if part.ndim == 4 else 1), dtype=dtype)


@functools.cache
def grey_lightness(dtype: str) -> np.ndarray:
    """L of each grey level of uint8 or uint16: (256,) or (65536,) float32."""
    levels = np.arange(int(_WHITE[dtype]) + 1, dtype=np.float32) / _WHITE[dtype]
    return np.asarray(rgb_to_lab(np.repeat(levels[:, None], 3, axis=1))[:, 0])


# Around each compiled block of a fixed number of pixels stands a graph for any number, up to the block's.


@functools.partial(tf.function, autograph=False, reduce_retracing=True)
def _lightness_block(pixels: Any, dtype: str) -> Any:
    """(n, 1 or 3) of the photo → L, (n,) float32."""
    count = tf.shape(pixels)[0]
    padded = tf.ensure_shape(tf.pad(pixels, [[0, BLOCK - count], [0, 0]]), (BLOCK, pixels.shape[1]))
    return _compiled_lightness(padded, dtype)[:count]


@functools.partial(tf.function, autograph=False, jit_compile=True)
def _compiled_lightness(pixels: Any, dtype: str) -> Any:
    rgb = tf.cast(pixels, tf.float32) / _WHITE[dtype]
    return rgb_to_lab(tf.broadcast_to(rgb, (BLOCK, 3)))[:, 0]


@functools.partial(tf.function, autograph=False, reduce_retracing=True)
def _color_block(L: Any, weights: Any, columns: Any, dtype: str) -> Any:
    """Colour n pixels of B photos: rgb (BLOCK, 3) of the photos' type, the first n of them filled.

    L is (n,), the row weights are (rows, k), the enlarged columns (4, B, k, n / B / rows).
    """
    coefficients = tf.reshape(tf.matmul(weights, columns), (4, -1))
    missing = BLOCK - tf.shape(L)[0]
    lab = _compiled_lab(
        tf.ensure_shape(tf.pad(L, [[0, missing]]), (BLOCK,)),
        tf.ensure_shape(tf.pad(coefficients, [[0, 0], [0, missing]]), (4, BLOCK)),
    )
    return _compiled_rgb(lab, dtype)


# Two kernels: XLA would fuse them into one that is some ten times slower than both, around the stack between them.


@functools.partial(tf.function, autograph=False, jit_compile=True)
def _compiled_lab(L: Any, coefficients: Any) -> Any:
    a = coefficients[0] * L + coefficients[2]
    b = coefficients[1] * L + coefficients[3]
    return clip_chroma(tf.stack([L, a, b], axis=-1))


@functools.partial(tf.function, autograph=False, jit_compile=True)
def _compiled_rgb(lab: Any, dtype: str) -> Any:
    rgb = lab_to_rgb(lab)
    if dtype == "uint8":
        return rgb_to_u8(rgb)
    return tf.cast(tf.round(rgb * _WHITE[dtype]), dtype) if dtype == "uint16" else rgb
