"""Messages of others at the start of a command, kept from the user: TensorFlow's and Pillow's."""

import os
import warnings
from collections.abc import Callable
from typing import TypeVar

from keras_colorize.errors import ColorizeError
from keras_colorize.lazy import quiet_stderr

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
