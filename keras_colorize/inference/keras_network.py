"""The network as a Keras model, which TensorFlow runs: packaged, from a file of weights, or given.

A graph is made for each shape of photos at its first call.
"""

import functools
import threading
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import BinnedLabSpace, Space, space_of
from keras_colorize.inference.compilation import graphs, side_multiple
from keras_colorize.inference.distribution import DistributionNetwork
from keras_colorize.inference.network import ChromaNetwork, finite
from keras_colorize.models.layers import StochasticDropout, keep_dropout_on
from keras_colorize.models.networks import build_generator
from keras_colorize.models.weights import load_packaged, load_weights_file
from keras_colorize.recipes import Recipe
from keras_colorize.tensor import Tensor


class KerasNetwork(ChromaNetwork):
    """A Keras model over the condition of a space.

    Args:
        generator: float32, with trained weights, for squares of `image_size`.
        space: of the generator.
        image_size: side in pixels at which it was trained.

    Attributes:
        generator, image_size: as given.
    """

    runtime = "TensorFlow"

    def __init__(self, generator: keras.Model, space: Space, image_size: int) -> None:
        self.generator = generator
        self.space = space
        self.image_size = image_size
        self.multiple = side_multiple(generator, image_size)
        self.stochastic = any(isinstance(layer, keras.layers.Dropout) and layer.rate > 0 for layer in generator.layers)
        self._chroma = graphs(functools.partial(self._chroma_of, generator))
        self._run = graphs(self.predict)
        self._decode = graphs(self._decoded)
        self._sampling = threading.Lock()

    def predict_ab(self, inputs: Inputs, vividness: float = 1.0) -> np.ndarray:
        """Predict chroma by one graph: see `ChromaNetwork.predict_ab`."""
        return finite(self._chroma(inputs, vividness))

    def run(self, inputs: Inputs) -> Tensor:
        """Run the network alone, and return a tensor: see `ChromaNetwork.run`."""
        return self._run(inputs)

    def decode(self, inputs: Inputs, prediction: Tensor, vividness: float = 1.0) -> np.ndarray:
        """Decode a prediction: see `ChromaNetwork.decode`."""
        return finite(self._decode(inputs, prediction, vividness))

    def with_keras(self, purpose: str) -> "KerasNetwork":
        """Return this network."""
        return self

    def sample(self, inputs: Inputs, number: int, seed: int, vividness: float = 1.0) -> np.ndarray:
        """Predict chroma ab (B, h, w, 2) with dropout that stays on.

        Args:
            inputs: (B, h, w, …).
            number: of the sample, at least 0.
            seed: at least 0; seed and number decide the noise.
            vividness: 1 is the system's own.
        """
        network, chroma = self._sampler
        with self._sampling:  # the generators of dropout's noise are variables
            dropouts = [layer for layer in network.layers if isinstance(layer, StochasticDropout)]
            states = np.random.SeedSequence([seed, number]).generate_state(2 * len(dropouts)).reshape(-1, 2)
            for layer, state in zip(dropouts, states, strict=True):
                layer.seed_generator.state.assign(state)
            return finite(chroma(inputs, vividness))

    @property
    def distribution(self) -> DistributionNetwork:
        """The network with its distribution over quantized chroma, for a system in the space `binned_lab`."""
        with self._sampling:  # several threads may ask for it at once
            return self._distribution

    @functools.cached_property
    def _distribution(self) -> DistributionNetwork:
        assert isinstance(self.space, BinnedLabSpace)
        return DistributionNetwork(self.generator, self.space, self.multiple is not None)

    @functools.cached_property
    def _sampler(self) -> tuple[keras.Model, Callable[[Inputs, float], Tensor]]:
        network = keep_dropout_on(self.generator)
        return network, graphs(functools.partial(self._chroma_of, network))

    def predict(self, inputs: Inputs) -> Tensor:
        """Run the generator's layers in the caller's graph, or one by one: (B, h, w, …) → prediction (B, h', w', C)."""
        return _run(self.generator, self.space.condition(inputs))

    def _chroma_of(self, network: keras.Model, inputs: Inputs, vividness: Tensor) -> Tensor:
        return self._decoded(inputs, _run(network, self.space.condition(inputs)), vividness)

    def _decoded(self, inputs: Inputs, prediction: Tensor, vividness: Tensor) -> Tensor:
        return self.space.chroma(inputs, prediction, vividness)


def _run(network: keras.Model, condition: Tensor) -> Tensor:
    """Run a network on a condition of any size that it takes.

    `network(…)` refuses all sizes but the one for which it was built. A network over another size would do too, and
    building it takes longer than all else.
    """
    return network.call(condition, training=False)


def load_packaged_network(recipe: Recipe) -> KerasNetwork:
    """Load a system of the zoo with its packaged weights.

    Raises:
        ColorizeError: the system comes without weights, or they are damaged.
    """
    generator = build_generator(recipe, values=False)
    load_packaged(recipe.name, generator)
    return KerasNetwork(generator, space_of(recipe), recipe.data.image_size)


def load_network_of_file(weights: Path, recipe: Recipe) -> KerasNetwork:
    """Load a recipe's generator with the weights of a file: a run's `.weights.h5`, or a packed `.npz`.

    Raises:
        ColorizeError: no such file, or weights that do not fit the recipe.
    """
    generator = build_generator(recipe, values=False)
    load_weights_file(generator, weights)
    return KerasNetwork(generator, space_of(recipe), recipe.data.image_size)
