"""The inputs of a network: all that it may know about a photo, by name."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Inputs(NamedTuple):
    """The inputs of a network, before a `Space` makes its condition of them.

    A named tuple, so that `tf.function`, `tf.nest` and `keras.tree` take it as it is. Fields have the same height and
    width, and either all have a batch axis or none has.

    lightness: CIE L, `(B, H, W, 1)` or `(H, W, 1)` floats in [0, 100].
    """

    lightness: Any

    def map(self, function: Callable[[Any], Any]) -> "Inputs":
        """Apply a function to each field, such as one that resizes."""
        return Inputs(*map(function, self))

    @classmethod
    def stack(cls, photos: Sequence["Inputs"]) -> "Inputs":
        """Join the inputs of N photos of one size, each without a batch axis, into NumPy arrays `(N, H, W, …)`."""
        return cls(*(np.stack(field) for field in zip(*photos, strict=True)))
