"""A running average of weights (Polyak averaging), which validates better than the weights of any single step."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf

from keras_colorize.tensor import Tensor

# A young average must not remember the initial weights: at step t it keeps at most (1 + t) / (10 + t), so that it spans
# about the last ninth of a short run.
_GROWTH = 10.0


class AveragedWeights:
    """Follows weights by average ← k · average + (1 − k) · weight after each step, where k grows to `keep`.

    Step t uses k = min(keep, (1 + t) / (10 + t)), so the average fits runs of any length.

    Args:
        weights: the variables to follow.
        keep: the largest k, such as 0.999.
    """

    def __init__(self, weights: Sequence[keras.Variable], keep: float) -> None:
        self._weights = list(weights)
        self._keep = keep
        self.variables = [
            keras.Variable(
                keras.ops.convert_to_numpy(weight), dtype="float32", trainable=False, name=f"{weight.name}_average"
            )
            for weight in self._weights
        ]

    def update(self, step: Tensor) -> None:
        """Take step number `step`, counted from 1, into the average."""
        t = tf.cast(step, "float32")
        keep = tf.minimum(self._keep, (1.0 + t) / (_GROWTH + t))
        for average, weight in zip(self.variables, self._weights, strict=True):
            average.assign(average.value + (1.0 - keep) * (tf.cast(weight.value, "float32") - average.value))

    def start_over(self) -> None:
        """Begin with the weights as they are now."""
        for average, weight in zip(self.variables, self._weights, strict=True):
            average.assign(weight.value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Replace the weights by their averages inside the `with` block; for use outside compiled steps."""
        before = [tf.identity(weight.value) for weight in self._weights]
        for weight, average in zip(self._weights, self.variables, strict=True):
            weight.assign(average.value)
        try:
            yield
        finally:
            for weight, value in zip(self._weights, before, strict=True):
                weight.assign(value)
