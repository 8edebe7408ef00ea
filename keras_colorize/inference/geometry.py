"""Frames in graphs: a photo of any size is fitted into the network's frame by two matrix products.

The frames are those of `inference.frame`, except that a plain border is not left out. A row of the frame is a weighted
sum of the photo's rows, so that one matrix does both the resampling and the mirrored border. TFLite and ONNX have no
`tf.image.resize(antialias=True)`.
"""

from dataclasses import dataclass

import tensorflow as tf

from keras_colorize.inference.frame import LONGEST_ASPECT
from keras_colorize.tensor import Tensor


@dataclass(frozen=True)
class FrameGeometry:
    """Sizes of a photo and its frame: whole numbers, or scalar int32 tensors where the graph learns them at run time.

    Attributes:
        height, width: of the photo.
        rows, columns: of the photo inside the frame.
        padded_rows, padded_columns: of the frame.
    """

    height: Tensor
    width: Tensor
    rows: Tensor
    columns: Tensor
    padded_rows: Tensor
    padded_columns: Tensor

    @classmethod
    def of(cls, height: Tensor, width: Tensor, size: int, multiple: int | None) -> "FrameGeometry":
        """Make the geometry for a photo of that size; `size` and `multiple` as in `inference.frame.frame_photo`."""
        short, long = _least(height, width), _most(height, width)
        if multiple is None:
            rows, columns = (_scaled(length, size, long) for length in (height, width))
            return cls(height, width, rows, columns, size, size)
        longest = int(LONGEST_ASPECT)
        narrow = _is(long > longest * short)
        wanted = size + narrow * (longest - 1) * size
        over = short + narrow * (long - short)
        rows, columns = (_scaled(length, wanted, over) for length in (height, width))
        # Positive numbers only: ONNX rounds quotients towards zero, TensorFlow downwards.
        padded = ((length + multiple - 1) // multiple * multiple for length in (rows, columns))
        return cls(height, width, rows, columns, *padded)

    @property
    def is_whole(self) -> bool:
        """Tell whether the photo has the frame's size, as far as the graph knows."""
        sizes = (self.height, self.padded_rows, self.width, self.padded_columns)
        return all(isinstance(size, int) for size in sizes) and sizes[0] == sizes[1] and sizes[2] == sizes[3]

    def vertical(self) -> Tensor:
        """Return the matrix (padded_rows, height) that resamples a photo's rows."""
        return resampling(self.height, self.rows, self.padded_rows)

    def horizontal(self) -> Tensor:
        """Return the matrix (padded_columns, width) that resamples a photo's columns."""
        return resampling(self.width, self.columns, self.padded_columns)

    def fitted(self, L: Tensor) -> Tensor:
        """Fit lightness (B, H, W, 1) into the frame, mirrored beyond its edges: (B, padded_rows, padded_columns, 1)."""
        if self.is_whole:
            return L
        framed = tf.matmul(tf.matmul(self.vertical(), tf.squeeze(L, axis=-1)), self.horizontal(), transpose_b=True)
        return self.shaped(tf.expand_dims(framed, -1))

    def shaped(self, frames: Tensor) -> Tensor:
        """Clip resampled lightness (B, padded_rows, padded_columns, C) to [0, 100] and set the sides that are known."""
        sides = (size if isinstance(size, int) else None for size in (self.padded_rows, self.padded_columns))
        return tf.ensure_shape(tf.clip_by_value(frames, 0.0, 100.0), (frames.shape[0], *sides, frames.shape[-1]))

    def content(self, frames: Tensor) -> Tensor:
        """Return the part (B, rows, columns, C) of frames that the photo covers."""
        if self.is_whole:
            return frames
        top, left = (self.padded_rows - self.rows) // 2, (self.padded_columns - self.columns) // 2
        return frames[:, top : top + self.rows, left : left + self.columns]

    def enlarged(self, maps: Tensor) -> list[Tensor]:
        """Enlarge maps (B, rows, columns, C) bilinearly to the photo's size: C planes (B, height, width).

        Two matrix products do it. onnxruntime would turn the channels of an image to the front and back, and enlarge
        more slowly.
        """
        channels = tf.transpose(maps, (0, 3, 1, 2))
        if not self.is_whole:
            wide = tf.matmul(channels, enlargement(self.columns, self.width), transpose_b=True)
            channels = tf.matmul(enlargement(self.rows, self.height), wide)
        return tf.unstack(channels, maps.shape[-1], axis=1)


def enlargement(known: Tensor, length: Tensor) -> Tensor:
    """Return the matrix (length, known) that resamples a line bilinearly, float32; its ends are level."""
    known_f, length_f = tf.cast(known, tf.float32), tf.cast(length, tf.float32)
    place = (tf.range(length_f, dtype=tf.float32) + 0.5) * (known_f / length_f) - 0.5
    place = tf.clip_by_value(place, 0.0, known_f - 1.0)
    return tf.maximum(1.0 - tf.abs(place[:, None] - tf.range(known_f, dtype=tf.float32)[None]), 0.0)


def resampling(length: Tensor, content: Tensor, padded: Tensor) -> Tensor:
    """Return the matrix (padded, length) that resamples a line to `content` places in the middle of `padded`, float32.

    The filter is bicubic (Keys 1981, a = −1/2), widened by the factor of a reduction, as in Pillow. Places beyond the
    content mirror it without repeating its edge.
    """
    length_f, content_f, padded_f = (tf.cast(value, tf.float32) for value in (length, content, padded))
    top = tf.cast((padded - content) // 2, tf.float32)
    place = tf.range(padded_f, dtype=tf.float32) - top
    period = tf.maximum(2.0 * (content_f - 1.0), 1.0)
    place = content_f - 1.0 - tf.abs(tf.math.floormod(tf.abs(place), period) - (content_f - 1.0))
    place = tf.maximum(place, 0.0)
    scale = length_f / content_f
    pixel = tf.range(length_f, dtype=tf.float32) + 0.5
    distance = tf.abs(pixel[None] - ((place + 0.5) * scale)[:, None]) / tf.maximum(scale, 1.0)
    # Both pieces are 0 at 1, and the second also at 2: each is held at 0 outside its own range.
    near, far = tf.minimum(distance, 1.0), tf.clip_by_value(distance, 1.0, 2.0)
    weights = (1.5 * near - 2.5) * near * near + 1.0 + ((2.5 - 0.5 * far) * far - 4.0) * far + 2.0
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def _scaled(length: Tensor, wanted: Tensor, over: Tensor) -> Tensor:
    """Return round(length · wanted / over) in whole numbers, half to even as in Python, at least 1."""
    doubled, divisor = 2 * length * wanted + over, 2 * over
    rounded = doubled // divisor
    return _most(rounded - _is(doubled % divisor == 0) * (rounded % 2), 1)


def _is(condition: Tensor) -> Tensor:
    """Convert a condition to 1 or 0."""
    return int(condition) if isinstance(condition, bool) else tf.cast(condition, tf.int32)


def _most(a: Tensor, b: Tensor) -> Tensor:
    return max(a, b) if isinstance(a, int) and isinstance(b, int) else tf.maximum(a, b)


def _least(a: Tensor, b: Tensor) -> Tensor:
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else tf.minimum(a, b)
