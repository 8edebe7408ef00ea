"""The start of a command: TensorFlow and Pillow without their messages, and the system that was asked for."""

import argparse
import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from keras_colorize.errors import ColorizeError
from keras_colorize.lazy import quiet_stderr

if TYPE_CHECKING:
    from keras_colorize.inference.colorizer import Colorizer

T = TypeVar("T")


def quiet_readers() -> None:
    """Silence Pillow, which warns of each damaged tag and large photo: a photo's reason says what matters."""
    warnings.filterwarnings("ignore", module="PIL")


def load_tensorflow(open_devices: Callable[[], T] | None = None) -> T | None:
    """Import TensorFlow and open its devices; its messages, which no variable turns off, are shown only if that fails.

    Args:
        open_devices: called before TensorFlow does anything else, for what must be said to it then.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    mistake = None
    devices = None
    with quiet_stderr():
        import tensorflow as tf

        try:
            devices = open_devices() if open_devices is not None else None
            tf.constant(0)
        except ColorizeError as error:  # one line for the user, without TensorFlow's
            mistake = error
    if mistake is not None:
        raise mistake
    return devices


def load_system(options: argparse.Namespace) -> "Colorizer":
    """Load the one system that `--run`, `--weights` or `--model` names; a file of weights has its recipe beside it."""
    from keras_colorize.inference.colorizer import Colorizer

    if options.run:
        return Colorizer.from_run(options.run)
    if options.weights:
        return Colorizer.from_file(options.weights)
    return Colorizer.from_zoo(options.model, "tensorflow")
