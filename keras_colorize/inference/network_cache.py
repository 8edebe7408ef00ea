"""The network files of the zoo: packaged ones, and ones that are made once and kept in the user's cache folder."""

import numpy as np

from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.errors import ColorizeError
from keras_colorize.files import cache_folder
from keras_colorize.inference.litert_network import LiteRTNetwork
from keras_colorize.inference.network import CORE_TOLERANCE
from keras_colorize.inference.network_file import (
    NetworkFile,
    packaged_digest,
    packaged_network_file,
    read_network_file,
)
from keras_colorize.packages import install, is_installed
from keras_colorize.recipes import Recipe


def find_network_file(recipe: Recipe) -> NetworkFile:
    """Return the network file of a system of the zoo: the packaged one, or one that is made once and then kept.

    Raises:
        ColorizeError: the system comes without weights; or it has no packaged file, and TensorFlow is not there to make
            one; or the packaged file is damaged or was made of other weights.
        OSError: the cache folder cannot be written.
    """
    file = packaged_network_file(recipe)
    if file is not None:
        return file
    source = packaged_digest(recipe)
    name, folder = f"{recipe.name}-{source[:16]}", cache_folder()
    file = read_network_file(folder, name, source)
    if file is None:
        if not is_installed("tensorflow"):
            raise ColorizeError(
                f"'{recipe.name}' comes without a file for LiteRT, and TensorFlow makes one: {install('tensorflow')}"
            )
        file = make_network_file(recipe)
        folder.mkdir(parents=True, exist_ok=True)
        file.write(folder, name)
    return file


def make_network_file(recipe: Recipe) -> NetworkFile:
    """Convert a system of the zoo with its packaged weights, and compare the file with the network in TensorFlow.

    Raises:
        ColorizeError: the system comes without weights, it does not convert, or the file computes something else.
    """
    from keras_colorize.inference.converter import convert_network
    from keras_colorize.inference.keras_network import load_packaged_network

    network = load_packaged_network(recipe)
    file = convert_network(network, recipe.name, packaged_digest(recipe))
    side = network.image_size
    L = np.linspace(0.0, 100.0, side * side, dtype=np.float32).reshape(1, side, side, 1)
    hints = np.zeros((1, side, side, HINT_CHANNELS), np.float32)
    hints[:, : side // 4, : side // 4] = 30.0, -40.0, 1.0
    inputs = Inputs(L, hints if network.space.takes_hints else None)
    apart = np.abs(LiteRTNetwork(file, recipe).predict_ab(inputs) - network.predict_ab(inputs)).mean()
    if not apart <= CORE_TOLERANCE:
        raise ColorizeError(
            f"the file for LiteRT differs from '{recipe.name}' in TensorFlow by {apart:.3g} CIE units on average (at"
            f" most {CORE_TOLERANCE:g}): nothing was written"
        )
    return file
