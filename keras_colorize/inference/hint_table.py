"""Hints in graphs: the table that callers send, and its drawing.

A table is float32 (N, K, 6), with K rows for each of N photos. The graph draws it as `inference.hints.draw_hints` draws
a list of `Hint`.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_colorize.inference.geometry import FrameGeometry
from keras_colorize.inference.hints import DISC_EDGE, NEAREST_EDGE, Hint
from keras_colorize.tensor import Tensor

COLUMNS = ("x", "y", "radius", "a", "b", "used")
"""Columns of a table: place and radius in pixels of the photo, a and b in CIE units, 1 for a hint or 0 for padding."""


def hint_table(hints: Sequence[Sequence[Hint]], height: int, width: int) -> np.ndarray:
    """Write the hints of N photos of one size as a table (N, K, 6) float32, padded to the longest list.

    K is at least 1.
    """
    table = np.zeros((len(hints), max([1, *map(len, hints)]), len(COLUMNS)), np.float32)
    for rows, photo_hints in zip(table, hints, strict=True):
        for row, hint in zip(rows, photo_hints, strict=False):
            row[:] = (hint.x, hint.y, hint.radius_in(height, width), *hint.ab, 1.0)
    return table


def draw_table(table: Tensor, frame: FrameGeometry) -> Tensor:
    """Draw a table (N, K, 6) into frames: (N, padded_rows, padded_columns, 3) float32, as `Inputs.hints`.

    Rows that are not used and hints outside the photo have no effect. A loop draws one hint of each photo at a time, so
    that memory does not grow with their number.
    """

    def draw(number: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        x, y, radius, a, b, used = tf.split(tf.gather(table, number, axis=1), len(COLUMNS), axis=-1)  # (N, 1) each
        down, row = _distances(y, radius, frame.height, frame.rows, frame.padded_rows)
        across, column = _distances(x, radius, frame.width, frame.columns, frame.padded_columns)
        disc = tf.square(down)[:, :, None] + tf.square(across)[:, None] <= DISC_EDGE
        inside = tf.cast(tf.logical_or(disc, tf.logical_and(row[:, :, None], column[:, None])), tf.float32)
        given = tf.logical_and(used > 0.5, tf.logical_and(_lies_in(x, frame.width), _lies_in(y, frame.height)))
        color = tf.where(given, tf.concat([a, b, tf.ones_like(a)], axis=-1), 0.0)  # (N, 3)
        return number + 1, drawn + inside[..., None] * color[:, None, None]

    count, drawn = tf.shape(table)[1], tf.zeros((tf.shape(table)[0], frame.padded_rows, frame.padded_columns, 3))
    loop = (tf.constant(0), drawn)
    shapes = (tf.TensorShape(()), tf.TensorShape((None, None, None, 3)))
    _, drawn = tf.while_loop(lambda number, _: number < count, draw, loop, shapes)
    return drawn / tf.maximum(drawn[..., 2:], 1.0)


def _distances(
    middle: Tensor, radius: Tensor, length: Tensor, content: Tensor, padded: Tensor
) -> tuple[Tensor, Tensor]:
    """Measure one side of the frame from hints' middles (N, 1).

    Args:
        middle, radius: of the hints, in pixels of the photo.
        length, content, padded: of the side: in the photo, of the photo in the frame, of the frame.

    Returns:
        The signed distance of each pixel in the hints' radius (N, padded), and whether it is the nearest (N, padded).
    """
    length_f, content_f, padded_f = (tf.cast(value, tf.float32) for value in (length, content, padded))
    scale = content_f / length_f
    place = (middle + 0.5) * scale - 0.5 + tf.cast((padded - content) // 2, tf.float32)
    pixel = tf.range(padded_f, dtype=tf.float32)[None]
    nearest = tf.clip_by_value(tf.math.ceil(place - NEAREST_EDGE), 0.0, padded_f - 1.0)
    return (pixel - place) / tf.maximum(radius * scale, 1e-6), tf.equal(pixel, nearest)


def _lies_in(place: Tensor, length: Tensor) -> Tensor:
    """Tell whether places (N, 1) lie in a side of a photo."""
    return tf.logical_and(place >= -0.5, place <= tf.cast(length, tf.float32) - 0.5)
