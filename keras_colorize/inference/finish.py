"""The finish: from chroma at the network's size to the coloured photo at its own.

Lightness stays the photo's own. Chroma is enlarged by a kind of fast guided filter, which lets it follow the photo's
edges, brought into the sRGB gamut along its hue, and joined with lightness strip by strip, so that little memory is
needed beside photo and result. The Colorizer, evaluation and the workers of a pipeline all finish photos here.
`docs/inference.md` has the figures.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops

from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.lab import lab_to_rgb, rgb_to_lab, rgb_to_u8
from keras_colorize.hardware import processors
from keras_colorize.inference.frame import BLOCK, WHITE, Frame, grey_lightness
from keras_colorize.tensor import Tensor

# Of the windows, in pixels and squared units of L at the network's size.
# [choice] Measured (docs/inference.md): nearer to the truth than bilinear on sharp photos, grainy ones too.
RADIUS = 1
EPSILON = 50.0


def finish_photo(pixels: np.ndarray, frame: Frame, ab: np.ndarray, edges: bool = True) -> np.ndarray:
    """Join a photo's own lightness with the chroma that a network predicts for its frame.

    Args:
        pixels: the photo, `(H, W)` or `(H, W, 3)`; uint8, uint16, or float32 in [0, 1].
        frame: of this photo.
        ab: chroma `(h, w, 2)` in CIE units, at the frame's size.
        edges: let chroma follow the photo's edges; otherwise it is enlarged bilinearly.

    Returns:
        rgb `(H, W, 3)` of the photo's type, in gamut. A plain border that the frame leaves out is neutral.
    """
    picture = color_photo(pixels[frame.picture], frame_coefficients(frame, ab, edges))
    if picture.shape[:2] == pixels.shape[:2]:
        return picture
    photo = color_photo(pixels, np.zeros((1, 1, 4), np.float32))
    photo[frame.picture] = picture
    return photo


def frame_coefficients(frame: Frame, ab: np.ndarray, edges: bool = True) -> np.ndarray:
    """Return the coefficients (h, w, 4) of the picture in a frame, from the chroma (h', w', 2) of the whole frame."""
    return _lines(frame.inputs.lightness[None], ab[None], edges).numpy()[0, frame.rows, frame.columns]


def finish_photos(
    photos: Sequence[np.ndarray], frames: Sequence[Frame], chromas: Sequence[np.ndarray], edges: bool = True
) -> list[np.ndarray]:
    """Finish each photo bit for bit as `finish_photo` does; small ones of one shape without a border share the work."""
    alike: dict[object, list[int]] = {}
    for number, (pixels, frame) in enumerate(zip(photos, frames, strict=True)):
        place = (frame.rows.start, frame.rows.stop, frame.columns.start, frame.columns.stop)
        bordered = pixels[frame.picture].shape != pixels.shape
        alike.setdefault(number if bordered else (pixels.shape, pixels.dtype, frame.shape, place), []).append(number)
    colored: dict[int, np.ndarray] = {}
    for numbers in alike.values():
        first = frames[numbers[0]]
        if len(numbers) == 1:
            colored[numbers[0]] = finish_photo(photos[numbers[0]], first, chromas[numbers[0]], edges)
            continue
        L = np.stack([frames[number].inputs.lightness for number in numbers])
        lines = _lines(L, np.stack([chromas[number] for number in numbers]), edges).numpy()
        batch = np.stack([photos[number] for number in numbers])
        colored.update(zip(numbers, color_photos(batch, lines[:, first.rows, first.columns]), strict=True))
    return [colored[number] for number in range(len(photos))]


@functools.partial(tf.function, autograph=False, reduce_retracing=True)
def _lines(L: Tensor, ab: Tensor, edges: bool) -> Tensor:
    return guided_coefficients(L, ab) if edges else constant_coefficients(ab)


def guided_coefficients(L: Tensor, ab: Tensor, radius: int = RADIUS, epsilon: float = EPSILON) -> Tensor:
    """Write chroma as a linear function of lightness around each place, so that it can be enlarged along edges.

    In each window a line is fitted by least squares, and a place takes the mean slope of all windows over it, as in the
    guided filter. That filter would take the mean offset too, which smooths the prediction; here the line goes through
    the place's own L and ab. Enlarged, this is the bilinear chroma plus slope times what lightness has beyond
    its own bilinear enlargement.

    The function uses keras.ops only, so that it can be part of an exported graph.

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


def constant_coefficients(ab: Tensor) -> Tensor:
    """Write chroma `(B, h, w, 2)` in the same form, but without lightness: enlarged, it is bilinear."""
    return ops.concatenate([ops.zeros_like(ab), ab], axis=-1)


def color_photo(pixels: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Colour a photo.

    Args:
        pixels: the photo, grey `(H, W)` or RGB `(H, W, 3)`; uint8, uint16, or float32 in [0, 1].
        coefficients: `(h, w, 4)` float32 of `guided_coefficients` over the whole photo, at any smaller or larger size.

    Returns:
        rgb `(H, W, 3)` of the photo's type: its lightness, to the rounding of that type, with chroma in gamut.
    """
    return color_photos(pixels[None], coefficients[None])[0]


def color_photos(pixels: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Colour photos of one size, each bit for bit as `color_photo` colours it.

    Several small photos share a block of pixels, so that no block is computed for a few pixels only.

    Args:
        pixels: `(B, H, W)` or `(B, H, W, 3)`; uint8, uint16, or float32 in [0, 1].
        coefficients: `(B, h, w, 4)` float32, one map for each photo.

    Returns:
        rgb `(B, H, W, 3)` of the photos' type.
    """
    colored = np.empty((*pixels.shape[:3], 3), pixels.dtype)
    lightness = _lightness_of(pixels)
    for strip in _strips(pixels.shape[:3], coefficients):
        colored[strip.part] = strip.colored(lightness(pixels[strip.part]), pixels.dtype.name)
    return colored


def color_lightness(L: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Colour a photo of which lightness is known: strips side by side on all cores, for one who waits.

    Args:
        L: `(H, W)` float32 in [0, 100].
        coefficients: `(h, w, 4)` float32, as for `color_photo`.

    Returns:
        rgb_u8 `(H, W, 3)`, as of a photo of 8 bits.
    """
    colored = np.empty((1, *L.shape, 3), np.uint8)

    def color(strip: _Strip) -> None:
        colored[strip.part] = strip.colored(L[strip.part[1:]].ravel(), "uint8")

    list(_pool().map(color, _strips((1, *L.shape), coefficients[None])))
    return colored[0]


@functools.cache
def _pool() -> ThreadPoolExecutor:
    """Return the threads that colour strips: XLA computes a strip on one core."""
    return ThreadPoolExecutor(processors(), thread_name_prefix="strip")


def photo_lightness(pixels: np.ndarray) -> np.ndarray:
    """Return L `(H, W)` float32 in [0, 100] of a photo `(H, W)` or `(H, W, 3)`; uint8, uint16, or float32 in [0, 1]."""
    lightness, L = _lightness_of(pixels[None]), np.empty(pixels.shape[:2], np.float32)
    rows = max(1, BLOCK // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        for left in range(0, pixels.shape[1], BLOCK):
            part = slice(top, top + rows), slice(left, left + BLOCK)
            L[part] = np.asarray(lightness(pixels[None][:, *part])).reshape(L[part].shape)
    return L


class _Strip(NamedTuple):
    """A part of photos that is coloured at a time.

    part: photos, rows and columns.
    weights: bilinear weights of the part's rows (rows, k).
    known: enlarged columns of the coefficients (4, B, k, columns).
    """

    part: tuple[slice, slice, slice]
    weights: np.ndarray
    known: np.ndarray

    def colored(self, L: Tensor, dtype: str) -> np.ndarray:
        """Return rgb (B, rows, columns, 3) of the part, whose lightness is L (n,)."""
        shape = (self.known.shape[1], len(self.weights), self.known.shape[3], 3)
        block = _color_block(L, self.weights, self.known, dtype=dtype).numpy()
        return block[: math.prod(shape[:3])].reshape(shape)


def _strips(shape: tuple[int, ...], coefficients: np.ndarray) -> Iterator[_Strip]:
    """Cut B photos of a shape (B, H, W) into parts of at most `BLOCK` pixels."""
    count, height, width = shape
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
                yield _Strip(part, weights, columns[:, :, first : first + weights.shape[1], part[2]])


def _box_mean(x: Tensor, radius: int) -> Tensor:
    """Average (B, h, w, C) over the square window around each place; at the borders over the part that exists."""
    side = 2 * radius + 1
    x = ops.average_pool(x, (side, 1), strides=1, padding="same")
    return ops.average_pool(x, (1, side), strides=1, padding="same")


def _positions(length: int, known: int) -> tuple[np.ndarray, np.ndarray]:
    """Find for each of `length` places the known place before it, and its share of the way to the next, in [0, 1].

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
    """Return the first known row that a strip needs, and the bilinear weights of its rows (rows, known rows)."""
    before, share = _positions(height, known)
    before, share = before[rows], share[rows]
    first = int(before[0])
    weights = np.zeros((len(before), min(int(before[-1]) + 2, known) - first), np.float32)
    place = np.arange(len(before))
    weights[place, before - first] = 1.0 - share
    weights[place, np.minimum(before - first + 1, weights.shape[1] - 1)] += share
    return first, weights


def _lightness_of(pixels: np.ndarray) -> Callable[[np.ndarray], Tensor]:
    """Return a function that turns a part of the photos into L, (n,) float32 in [0, 100]."""
    if pixels.ndim == 3 and pixels.dtype != np.float32:
        table = grey_lightness(pixels.dtype.name)
        return lambda part: table.take(part.ravel())
    dtype = pixels.dtype.name
    return lambda part: _lightness_block(part.reshape(-1, part.shape[3] if part.ndim == 4 else 1), dtype=dtype)


# XLA compiles blocks of a fixed number of pixels; the graphs around them take any number up to that.


@functools.partial(tf.function, autograph=False, reduce_retracing=True)
def _lightness_block(pixels: Tensor, dtype: str) -> Tensor:
    """Convert pixels (n, 1 or 3) to L, (n,) float32."""
    count = tf.shape(pixels)[0]
    padded = tf.ensure_shape(tf.pad(pixels, [[0, BLOCK - count], [0, 0]]), (BLOCK, pixels.shape[1]))
    return _compiled_lightness(padded, dtype)[:count]


@functools.partial(tf.function, autograph=False, jit_compile=True)
def _compiled_lightness(pixels: Tensor, dtype: str) -> Tensor:
    rgb = tf.cast(pixels, tf.float32) / WHITE[dtype]
    return rgb_to_lab(tf.broadcast_to(rgb, (BLOCK, 3)))[:, 0]


@functools.partial(tf.function, autograph=False, reduce_retracing=True)
def _color_block(L: Tensor, weights: Tensor, columns: Tensor, dtype: str) -> Tensor:
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
def _compiled_lab(L: Tensor, coefficients: Tensor) -> Tensor:
    a = coefficients[0] * L + coefficients[2]
    b = coefficients[1] * L + coefficients[3]
    return clip_chroma(tf.stack([L, a, b], axis=-1))


@functools.partial(tf.function, autograph=False, jit_compile=True)
def _compiled_rgb(lab: Tensor, dtype: str) -> Tensor:
    rgb = lab_to_rgb(lab)
    if dtype == "uint8":
        return rgb_to_u8(rgb)
    return tf.cast(tf.round(rgb * WHITE[dtype]), dtype) if dtype == "uint16" else rgb
