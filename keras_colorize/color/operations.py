"""The operations of tensors: NumPy's for arrays, and those of Keras for tensors of its backend.

A formula that takes `ops` or asks `operations` for them is written once and computes the same in NumPy, on any Keras
backend and in graphs. With arrays alone it needs no Keras.
"""

import functools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from keras_colorize.lazy import LateModule
from keras_colorize.tensor import Tensor

keras_ops = LateModule("keras.ops")


def operations(*values: Tensor) -> Any:
    """Return `numpy_ops` if all values are arrays or numbers, else `keras.ops`."""
    return numpy_ops if all(isinstance(value, _OF_NUMPY) for value in values) else keras_ops


_OF_NUMPY = (np.ndarray, np.generic, float, int)


def _softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    powers /= powers.sum(axis=axis, keepdims=True)
    return powers


def positions(length: int, known: int) -> tuple[np.ndarray, np.ndarray]:
    """Find for each of `length` places the known place before it, and its share of the way to the next, in [0, 1].

    Pixel centres are aligned: place i lies at (i + 1/2) · known / length − 1/2. Beyond the outer centres nothing
    changes any more.
    """
    place = np.clip((np.arange(length) + 0.5) * (known / length) - 0.5, 0, known - 1)
    before = np.minimum(place.astype(np.int64), max(known - 2, 0))
    return before, (place - before).astype(np.float32)


def _resize(
    images: np.ndarray, size: tuple[int, int], interpolation: str = "bilinear", antialias: bool = False
) -> np.ndarray:
    """Resize images (B, h, w, C) bilinearly without a filter; the middles of pixels are aligned."""
    if interpolation != "bilinear" or antialias:
        raise ValueError(f"{interpolation} interpolation, antialias={antialias}: expected bilinear without a filter")
    for axis, length in zip((1, 2), size, strict=True):
        known = images.shape[axis]
        before, share = positions(length, known)
        share = share.astype(images.dtype).reshape((-1, 1, 1) if axis == 1 else (-1, 1))
        lower = images.take(before, axis=axis)
        images = lower + share * (images.take(np.minimum(before + 1, known - 1), axis=axis) - lower)
    return images


def _depthwise_conv(images: np.ndarray, kernel: np.ndarray, padding: str = "same") -> np.ndarray:
    """Filter images (B, h, w, C) with a kernel (rows, columns, C, 1) of odd sides; outside them everything is 0."""
    rows, columns = kernel.shape[:2]
    if padding != "same" or rows % 2 == 0 or columns % 2 == 0:
        raise ValueError(f"a kernel of {rows}×{columns} and padding {padding}: expected odd sides and 'same'")
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)))
    filtered = np.zeros_like(images)
    for row in range(rows):
        for column in range(columns):
            filtered += padded[:, row : row + height, column : column + width] * kernel[row, column, :, 0]
    return filtered


def _concatenate(parts: Sequence[np.ndarray], axis: int = 0) -> np.ndarray:
    return np.concatenate(parts, axis=axis)


# Only what formulas of this package use, with the names and arguments that Keras gives to them.
numpy_ops = SimpleNamespace(
    abs=np.abs,
    arange=lambda count, dtype=None: np.arange(count, dtype=dtype),
    cast=lambda x, dtype: np.asarray(x).astype(dtype),
    clip=lambda x, least, most: np.clip(x, x.dtype.type(least), x.dtype.type(most)),
    concatenate=_concatenate,
    convert_to_tensor=np.asarray,
    depthwise_conv=_depthwise_conv,
    einsum=functools.partial(np.einsum, optimize=True),
    exp=np.exp,
    floor=np.floor,
    image=SimpleNamespace(resize=_resize),
    logical_and=np.logical_and,
    matmul=np.matmul,
    maximum=lambda x, y: np.maximum(x, np.float32(y) if isinstance(y, float) else y),
    mean=np.mean,
    minimum=lambda x, y: np.minimum(x, np.float32(y) if isinstance(y, float) else y),
    power=lambda x, exponent: np.power(np.float32(x), exponent),
    shape=np.shape,
    softmax=_softmax,
    split=np.split,
    sqrt=np.sqrt,
    square=np.square,
    sum=np.sum,
    take=np.take,
    where=np.where,
)
