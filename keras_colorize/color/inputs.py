"""The inputs of a network: all that it may know about a photo, by name."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from keras_colorize.tensor import Tensor

HINT_CHANNELS = 3
"""Channels of `Inputs.hints`: a, b and the mask."""


class Inputs(NamedTuple):
    """The inputs of a network, before a `Space` makes its condition of them.

    A named tuple, so that `tf.function`, `tf.nest` and `keras.tree` take it as it is. Fields have the same height and
    width, and either all have a batch axis or none has.

    lightness: CIE L, `(B, H, W, 1)` or `(H, W, 1)` floats in [0, 100].
    hints: colours at places, `(B, H, W, 3)` or `(H, W, 3)` floats: a and b in CIE units, each multiplied by the third
        channel, a mask from 0 (nothing is given) to 1. None where no colour is given at all.
    """

    lightness: Tensor
    hints: Tensor | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> "Inputs":
        """Apply a function to each field that is there, such as one that resizes."""
        return Inputs(*(None if field is None else function(field) for field in self))

    @classmethod
    def stack(cls, photos: Sequence["Inputs"]) -> "Inputs":
        """Join the inputs of N photos of one size, each without a batch axis, into NumPy arrays `(N, H, W, …)`.

        Either all photos have hints or none has.
        """
        return cls(*(None if field[0] is None else np.stack(field) for field in zip(*photos, strict=True)))
