"""Weights of one network in one file: written whole or not at all, read with one line of complaint."""

import warnings
from pathlib import Path

import keras

from keras_colorize.errors import ColorizeError
from keras_colorize.files import written_whole


def save_weights(network: keras.Model, file: Path) -> None:
    """Write a network's weights, whole or not at all."""
    with written_whole(file) as temporary:
        network.save_weights(temporary)


def load_weights(network: keras.Model, file: Path) -> None:
    """Read a `.weights.h5` file into a network of the same architecture.

    Raises:
        ColorizeError: the file is broken, or of another network.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # about groups that differ: the error says it in one line
            network.load_weights(file)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ColorizeError(f"{file} does not fit the network '{network.name}': {reason}") from error
