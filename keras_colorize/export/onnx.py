"""ONNX files: their conversion with standard operators, and onnxruntime, which verifies and times them."""

import contextlib
import io
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_colorize.color.inputs import Inputs
from keras_colorize.errors import ColorizeError
from keras_colorize.export.graph import ColorGraph
from keras_colorize.export.packages import first_line, need

OPSET = 17
# The standard operators, and the opset of machine learning that tf2onnx declares without using it.
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}


def convert(graph: ColorGraph, size: int | None, core: bool) -> bytes:
    """Convert a graph to a float32 file for batches of any length.

    * `image` uint8 (N, H, W, 3) → `colorized` uint8 (N, H, W, 3)
    * with `core` `L` float32 (N, H, W, 1) in [0, 100] → `ab` float32 (N, H, W, 2) in CIE units

    Args:
        graph: the graph of a Colorizer.
        size: H and W; None leaves them free.
        core: convert the network alone.

    Raises:
        ColorizeError: there is no ONNX operator for a part of the network.
    """
    tf2onnx = need("tf2onnx")
    function: Callable[[Any], dict[str, Any]]
    if core:
        spec = tf.TensorSpec((None, size, size, 1), tf.float32, name="L")
        function = lambda L: {"ab": graph.chroma(Inputs(L))}  # noqa: E731
    else:
        # Free sizes here too: for sizes that it knows tf2onnx writes a rounded scale, which onnxruntime takes for 99
        # rows where 100 are meant.
        spec = tf.TensorSpec((None, None, None, 3), tf.uint8, name="image")
        function = lambda image: {"colorized": graph.colorize(image)}  # noqa: E731
    said = io.StringIO()
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(said):
            traced = tf.function(function, autograph=False)
            model, _ = tf2onnx.convert.from_function(traced, input_signature=[spec], opset=OPSET)
    except Exception as error:  # the converter raises errors of many classes
        raise ColorizeError(f"this network does not convert to ONNX: {first_line(error)}") from error
    _rename_output(model, "ab" if core else "colorized")
    if size is not None:
        _fix_size(model, size)
    strange = {entry.domain for entry in model.graph.node} - _DOMAINS
    if strange:
        raise ColorizeError(f"the ONNX file needs operators that are not standard: {', '.join(sorted(strange))}")
    return model.SerializeToString()


def _rename_output(model: Any, name: str) -> None:
    """Rename the only output, so that its name does not depend on the converter."""
    (output,) = model.graph.output
    for node in model.graph.node:
        for names in (node.input, node.output):
            for number, other in enumerate(names):
                if other == output.name:
                    names[number] = name
    output.name = name


def _fix_size(model: Any, size: int) -> None:
    """Write height and width into the shapes of input and output."""
    for tensor in (*model.graph.input, *model.graph.output):
        for axis in (1, 2):
            tensor.type.tensor_type.shape.dim[axis].dim_value = size


class OnnxRuntime:
    """An ONNX file in onnxruntime, on the CPU.

    Args:
        content: the file.
        threads: how many threads it may use.
    """

    def __init__(self, content: bytes, threads: int = 2) -> None:
        runtime = need("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Run on one input."""
        return self._session.run(None, {self._input: batch})[0]
