"""ONNX files: their conversion with standard operators, and onnxruntime, which verifies and times them."""

import contextlib
import io
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from keras_colorize.color.inputs import HINT_CHANNELS
from keras_colorize.errors import ColorizeError
from keras_colorize.export.metadata import OWN, ModelMetadata
from keras_colorize.export.packages import first_line, need
from keras_colorize.inference.graph import ColorGraph
from keras_colorize.inference.hint_table import COLUMNS
from keras_colorize.tensor import Tensor

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17
# The standard operators, and the opset of machine learning that tf2onnx declares without using it.
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}


def convert(graph: ColorGraph, size: int | None, core: bool, distribution: bool = False) -> bytes:
    """Convert a graph to a float32 file for batches of any length.

    * `image` uint8 (N, H, W, 3) → `colorized` uint8 (N, H, W, 3); of a network that takes hints also `hints` float32
      (N, K, 6), a table of `inference.hint_table` with any K
    * with `core` `L` float32 (N, H, W, 1) in [0, 100] → `ab` float32 (N, H, W, 2) in CIE units; of a network that takes
      hints also `hints` float32 (N, H, W, 3), as `Inputs.hints`

    Args:
        graph: the graph of a Colorizer.
        size: H and W; None leaves them free.
        core: convert the network alone.
        distribution: give a core the output `distribution` too: see `ColorGraph.core`.

    Raises:
        ColorizeError: there is no ONNX operator for a part of the network.
    """
    tf2onnx = need("tf2onnx")
    function: Callable[..., dict[str, Tensor]]
    if core:
        specs = [tf.TensorSpec((None, size, size, 1), tf.float32, name="L")]
        if graph.takes_hints:
            specs.append(tf.TensorSpec((None, size, size, HINT_CHANNELS), tf.float32, name="hints"))
        function = lambda L, hints=None: graph.core(L, hints, distribution)  # noqa: E731
    else:
        # Free sizes here too: for sizes that it knows tf2onnx writes a rounded scale, which onnxruntime takes for 99
        # rows where 100 are meant.
        specs = [tf.TensorSpec((None, None, None, 3), tf.uint8, name="image")]
        if graph.takes_hints:
            specs.append(tf.TensorSpec((None, None, len(COLUMNS)), tf.float32, name="hints"))
        function = lambda image, hints=None: {"colorized": graph.colorize(image, hints=hints, lookup=False)}  # noqa: E731
    said = io.StringIO()
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(said):
            traced = tf.function(function, autograph=False)
            model, _ = tf2onnx.convert.from_function(traced, input_signature=specs, opset=OPSET)
    except Exception as error:  # the converter raises errors of many classes
        raise ColorizeError(f"this network does not convert to ONNX: {first_line(error)}") from error
    outputs = ["colorized"] if not core else ["ab", "distribution"] if distribution else ["ab"]
    _rename(model, [spec.name for spec in specs], outputs)
    if size is not None:
        _fix_size(model, size)
    strange = {entry.domain for entry in model.graph.node} - _DOMAINS
    if strange:
        raise ColorizeError(f"the ONNX file needs operators that are not standard: {', '.join(sorted(strange))}")
    return model.SerializeToString()


def _rename(model: "ModelProto", inputs: list[str], outputs: list[str]) -> None:
    """Give inputs and outputs these names. TensorFlow writes arguments in lower case, the converter numbers outputs."""
    tensors = (*model.graph.input, *model.graph.output)
    renamed = {tensor.name: name for tensor, name in zip(tensors, (*inputs, *outputs), strict=True)}
    for node in model.graph.node:
        for names in (node.input, node.output):
            for number, name in enumerate(names):
                names[number] = renamed.get(name, name)
    for tensor in tensors:
        tensor.name = renamed[tensor.name]


def _fix_size(model: "ModelProto", size: int) -> None:
    """Write height and width into the shapes of the tensors that have the size of the photo."""
    for tensor in (*model.graph.input, *model.graph.output):
        sides = tensor.type.tensor_type.shape.dim
        if len(sides) == 4 and tensor.name != "distribution":
            for axis in (1, 2):
                sides[axis].dim_value = size


def with_metadata(content: bytes, metadata: ModelMetadata) -> bytes:
    """Return the file with its description for people, and as JSON for programs in `metadata_props`."""
    model = need("onnx").load_from_string(content)
    model.doc_string = metadata.description
    need("onnx.helper").set_model_props(model, {OWN: metadata.to_json()})
    return model.SerializeToString()


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
        self._outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Run on inputs by name; return outputs by name."""
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))
