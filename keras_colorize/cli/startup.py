"""What others say on the way, kept from the user: TensorFlow's start-up messages, and Pillow's warnings."""

import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from typing import TypeVar

from keras_colorize.errors import ColorizeError

T = TypeVar("T")


def quiet_readers() -> None:
    """None of Pillow's warnings, one for each damaged tag and large photo: a photo's reason says what matters."""
    warnings.filterwarnings("ignore", module="PIL")


def load_tensorflow(open_devices: Callable[[], T] | None = None) -> T | None:
    """Import TensorFlow and open its devices; what it says, which no variable turns off, is shown only if that fails.

    Args:
        open_devices: called before TensorFlow does anything else, for what must be said to it then.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)  # the messages come from C++: replacing sys.stderr would not catch them
        try:
            import tensorflow as tf

            devices = open_devices() if open_devices is not None else None
            tf.constant(0)
            return devices
        except ColorizeError:
            raise
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
