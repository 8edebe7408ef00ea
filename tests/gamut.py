"""The gamut of sRGB, asked of a conversion that clips nothing."""

from typing import Any

import numpy as np

from keras_colorize.color.lab import lab_to_rgb


def in_gamut(lab: Any, tolerance: float = 1e-4) -> np.ndarray:
    """Tell for each colour of lab (..., 3) whether its R, G and B lie within [−tolerance, 1 + tolerance]."""
    rgb = np.asarray(lab_to_rgb(lab, clip=False))
    return np.all((rgb >= -tolerance) & (rgb <= 1 + tolerance), axis=-1)
