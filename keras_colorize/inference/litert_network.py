"""The network in LiteRT, without TensorFlow: a network file, with an interpreter for each size."""

import functools
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.color.spaces import BinnedLabSpace, space_of
from keras_colorize.errors import ColorizeError
from keras_colorize.hardware import processors
from keras_colorize.inference.network import ChromaNetwork, finite
from keras_colorize.inference.network_file import NetworkFile
from keras_colorize.lazy import quiet_stderr
from keras_colorize.packages import need
from keras_colorize.recipes import Recipe
from keras_colorize.tensor import Tensor

# Sizes whose interpreters are kept; each takes some 30 MB.
KEPT_SIZES = 8


class LiteRTNetwork(ChromaNetwork):
    """A network file in LiteRT's interpreter, with XNNPACK, its default.

    Args:
        file: of the network.
        recipe: of its training.
    """

    runtime = "LiteRT"

    def __init__(self, file: NetworkFile, recipe: Recipe) -> None:
        # The file's logits have the rebalancing taken back already.
        self.space = space_of(replace(recipe, decoding=replace(recipe.decoding, undo_rebalancing=0.0)))
        self.multiple = file.facts["multiple"]
        self._file = file
        self._interpreter = need("ai_edge_litert.interpreter", "lite").Interpreter
        self._running = threading.Lock()
        self._sized = functools.lru_cache(KEPT_SIZES)(self._open)

    def run(self, inputs: Inputs) -> np.ndarray:
        """Run the network photo by photo: see `ChromaNetwork.run`."""
        given = {"L": np.asarray(inputs.lightness, np.float32)}
        if self.space.takes_hints:
            hints = inputs.hints
            if hints is None:
                hints = np.zeros((*given["L"].shape[:3], HINT_CHANNELS))
            given["hints"] = np.asarray(hints, np.float32)
        elif inputs.hints is not None:
            raise ColorizeError("the network takes no hints: expected a recipe with hints = true")
        photos = [{name: values[number, None] for name, values in given.items()} for number in range(len(given["L"]))]
        with self._running:
            answer = self._sized(*given["L"].shape[1:3])
            return np.concatenate([answer(**photo) for photo in photos])

    def decode(self, inputs: Inputs, prediction: Tensor, vividness: float = 1.0) -> np.ndarray:
        """Decode a prediction in NumPy: see `ChromaNetwork.decode`."""
        inputs, prediction = inputs.map(np.asarray), np.asarray(prediction)
        if isinstance(self.space, BinnedLabSpace):
            return finite(self.space.chroma(inputs, prediction, vividness))
        return finite(self.space.with_hints(prediction * np.float32(vividness), inputs, vividness))

    def _open(self, height: int, width: int) -> Callable[..., np.ndarray]:
        """Open the file for a size, and return a function from inputs by name to the output."""
        with quiet_stderr():  # it tells of its delegate
            interpreter = self._interpreter(model_content=self._file.sized(height, width), num_threads=processors())
            interpreter.allocate_tensors()
        runner = interpreter.get_signature_runner()

        def answer(**inputs: np.ndarray) -> np.ndarray:
            (values,) = runner(**inputs).values()
            return values

        return answer
