"""Loading TensorFlow without its start-up messages, which no environment variable turns off."""

import os
import sys
import tempfile


def load_tensorflow() -> None:
    """Import TensorFlow and open its devices; what it says is shown only if that fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)  # the messages come from C++: replacing sys.stderr would not catch them
        try:
            import tensorflow as tf

            tf.constant(0)
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
