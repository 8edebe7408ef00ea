"""The gamut of sRGB, asked of a conversion that clips nothing."""

from typing import Any

import numpy as np

from keras_colorize.color.lab import lab_to_rgb
from keras_colorize.color.largest_chroma import linear_light, numpy_ops, shows


def in_gamut(lab: Any, tolerance: float = 1e-4) -> np.ndarray:
    """Tell for each colour of lab (..., 3) whether its R, G and B lie within [−tolerance, 1 + tolerance]."""
    rgb = np.asarray(lab_to_rgb(lab, clip=False))
    return np.all((rgb >= -tolerance) & (rgb <= 1 + tolerance), axis=-1)


def bisected(L, a, b, steps=10):
    """Chroma within the gamut by bisection of the whole conversion, as a share of the chroma asked for."""
    y, share, step = (L + np.float32(16.0)) / np.float32(116.0), np.zeros_like(L), 0.5
    shown = lambda s: shows(numpy_ops, linear_light(numpy_ops, y, y + s * a / 500, y - s * b / 200))  # noqa: E731
    for _ in range(steps):
        share = np.where(shown(share + np.float32(step)), share + np.float32(step), share)
        step /= 2
    return np.where(shown(np.float32(1.0)), 1.0, share)
