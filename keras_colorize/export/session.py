"""A SavedModel in TensorFlow's session loader, as TF Serving runs it: without Keras and without this package."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from keras_colorize.errors import ColorizeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

TAG = "serve"


class ServingSession:
    """A loaded SavedModel.

    Args:
        folder: the folder with `saved_model.pb`.
        threads: how many threads it may use; all by default.
    """

    def __init__(self, folder: str | Path, threads: int | None = None) -> None:
        options = tf.compat.v1.ConfigProto()
        if threads is not None:
            options = tf.compat.v1.ConfigProto(
                intra_op_parallelism_threads=threads,
                inter_op_parallelism_threads=threads,
                use_per_session_threads=True,
            )
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=options)
        self.meta_graph = _load(self._session, folder)

    def __call__(self, signature: str, **inputs: "ArrayLike") -> dict[str, np.ndarray]:
        """Run a signature with inputs by name; return outputs by name. Encoded images are an array of objects."""
        definition = self.meta_graph.signature_def[signature]
        fetches = {name: tensor.name for name, tensor in definition.outputs.items()}
        return self._session.run(fetches, {definition.inputs[name].name: value for name, value in inputs.items()})

    def close(self) -> None:
        """Free the model."""
        self._session.close()


def _load(session: tf.compat.v1.Session, folder: str | Path) -> tf.compat.v1.MetaGraphDef:
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # the loader warns that it is deprecated; it is the one that servers have
    try:
        return tf.compat.v1.saved_model.load(session, [TAG], str(folder))
    finally:
        logger.setLevel(level)


def check_operators(meta_graph: tf.compat.v1.MetaGraphDef) -> list[str]:
    """Check that graph and functions hold only operators that every TensorFlow server has; return their names.

    Raises:
        ColorizeError: Python functions, which save and load and then fail in a server, or custom operators.
    """
    functions = meta_graph.graph_def.library.function
    nodes = [*meta_graph.graph_def.node, *(node for function in functions for node in function.node_def)]
    own = {function.signature.name for function in functions}
    names = {node.op for node in nodes} - own
    python = sorted(name for name in names if "Py" in name)
    if python:
        raise ColorizeError(f"the graph calls Python, which no server has: {', '.join(python)}")
    known = set(tf.raw_ops.__dict__)
    custom = sorted(name for name in names if name not in known)
    if custom:
        raise ColorizeError(f"the graph holds custom operators: {', '.join(custom)}")
    return sorted(names)
