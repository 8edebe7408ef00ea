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

    Step t uses k = min(keep, (1 + t) / (10 + t)), so the average fits runs of any length. The averages can change
    places with the weights, so that the network works with them. Both come back without a changed bit.

    [choice] Keras' optimizers have `use_ema`, and `keras.callbacks.SwapEMAWeights` goes with it. Their k is constant,
    which a short run cannot use. The callback swaps by adding and subtracting, which rounds the weights, but a run that
    is resumed bit for bit needs the weights of its last step as they were.

    Args:
        weights: the variables to follow.
        keep: the largest k, such as 0.999.
    """

    def __init__(self, weights: Sequence[keras.Variable], keep: float) -> None:
        self._weights = list(weights)
        self._keep = keep
        self.in_use = False
        """Tell whether the averages are in the network; `variables` then hold the weights of the last step."""
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

    def use(self, wanted: bool) -> None:
        """Let the network have the averages, or the weights of its last step; call this outside compiled steps."""
        if wanted == self.in_use:
            return
        for weight, average in zip(self._weights, self.variables, strict=True):
            value = tf.identity(weight.value)
            weight.assign(average.value)
            average.assign(value)
        self.in_use = wanted

    @contextmanager
    def in_place(self, wanted: bool = True) -> Iterator[None]:
        """Let the network have the averages inside the `with` block, or with False the weights of its last step."""
        before = self.in_use
        self.use(wanted)
        try:
            yield
        finally:
            self.use(before)
