"""The distribution over quantized chroma that some networks predict, and what they find out about each place."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import BinnedLabSpace
from keras_colorize.inference.compilation import graphs, over_size
from keras_colorize.inference.network import finite
from keras_colorize.tensor import Tensor


@dataclass(frozen=True, eq=False)
class Prediction:
    """The answer of a network over quantized chroma for B photos.

    logits: of the Q classes, (B, h, w, Q) float32, at a part of the size of the inputs.
    shares: their probabilities, (B, h, w, Q) float32, before any temperature.
    maps: the network's own maps of features, (B, h', w', C) float32, coarse ones first; see `feature_maps`.
    """

    logits: np.ndarray
    shares: np.ndarray
    maps: tuple[np.ndarray, ...]


class DistributionNetwork:
    """A network over quantized chroma, opened between its distribution and the colours that are made of it.

    Args:
        generator: float32, for squares of one size.
        space: of the generator.
        free_size: whether photos of other sizes go through it.
    """

    def __init__(self, generator: keras.Model, space: BinnedLabSpace, free_size: bool) -> None:
        self.space = space
        network = keras.Model(generator.input, [generator.output, *feature_maps(generator)])
        if free_size:
            network = over_size(network, None, None)

        def predict(given: Inputs, hints: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
            logits, *maps = network(space.condition(given._replace(hints=hints)), training=False)
            return logits, space.distribution(logits), maps

        self._predict = graphs(predict)
        self._chroma = graphs(space.chroma)

    def predict(self, given: Inputs, hints: np.ndarray | None = None) -> Prediction:
        """Predict the distribution for photos.

        Args:
            given: what is known of them, (B, H, W, …).
            hints: the hints that the network sees, (B, H, W, 3): those of `given` and others, such as ones drawn by
                chance. By default those of `given`.

        Raises:
            ColorizeError: the network answers with values that are not finite.
        """
        logits, shares, maps = self._predict(given, given.hints if hints is None else hints)
        return Prediction(finite(logits), np.asarray(shares), tuple(np.asarray(features) for features in maps))

    def chroma(
        self, given: Inputs, logits: np.ndarray, vividness: float = 1.0, hints: np.ndarray | None = None
    ) -> np.ndarray:
        """Make colours of logits (B, h, w, Q), as the space does: ab (B, H, W, 2) in CIE units.

        hints: those that the network saw, as `predict` takes them; they leave less to guess.
        """
        seen = given if hints is None else given._replace(hints=hints)
        return finite(self._chroma(given, logits, vividness, seen))


def feature_maps(network: keras.Model) -> list[keras.KerasTensor]:
    """Choose maps of a network that tell which places are alike, from its layers for squares of one size.

    They are the last of its coarsest maps, the last one of twice that size on the way there, and the input of its last
    layer.
    """
    maps = [layer.output for layer in network.layers[1:] if len(getattr(layer.output, "shape", ())) == 4]
    maps = [features for features in maps if features.shape[1] > 1]  # no pooled vectors
    coarsest = min(features.shape[1] for features in maps)
    first = next(number for number, features in enumerate(maps) if features.shape[1] == coarsest)
    deep = [features for features in maps if features.shape[1] == coarsest]
    finer = [features for features in maps[:first] if features.shape[1] == 2 * coarsest]
    return [deep[-1], *finer[-1:], network.layers[-1].input]


def unit_vectors(maps: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """Describe each place of a photo: the product of two descriptions is the cosine of their angle.

    Args:
        maps: feature maps (h', w', C) of one photo, of any sizes.
        height, width: of the grid of places.

    Returns:
        `(height, width, C)` float32 of length 1: the maps, each without its mean and with the same weight.
    """
    parts = []
    for features in maps:
        resized = ops.image.resize(_unit(features), (height, width), interpolation="bilinear", antialias=False)
        parts.append(_unit(np.asarray(resized)))
    return np.concatenate(parts, axis=-1) / np.float32(np.sqrt(len(parts)))


def cell_means(field: np.ndarray, step: int) -> np.ndarray:
    """Average a field (H, W, C) over squares of `step` pixels: (H / step, W / step, C)."""
    height, width = field.shape[0] // step, field.shape[1] // step
    return field.reshape(height, step, width, step, -1).mean(axis=(1, 3))


def _unit(features: np.ndarray) -> np.ndarray:
    centered = features - features.mean(axis=(0, 1))
    return centered / (np.linalg.norm(centered, axis=-1, keepdims=True) + np.float32(1e-6))
