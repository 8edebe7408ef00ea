"""TFLite files: their conversion with built-in operators only, and the interpreter that verifies and times them."""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_colorize.color.inputs import HINT_CHANNELS
from keras_colorize.errors import ColorizeError
from keras_colorize.export.packages import first_line, need
from keras_colorize.inference.graph import ColorGraph
from keras_colorize.lazy import quiet_stderr
from keras_colorize.tensor import Tensor

COLORIZE, PREDICT_AB = "colorize", "predict_ab"


def convert(graph: ColorGraph, size: int | None, core: bool, distribution: bool = False) -> bytes:
    """Convert a graph to a float32 file with one named signature.

    * `colorize`: `image` uint8 (1, H, W, 3) → `colorized` uint8 (1, H, W, 3)
    * with `core` `predict_ab`: `L` float32 (1, H, W, 1) in [0, 100] → `ab` float32 (1, H, W, 2) in CIE units; of a
      network that takes hints also `hints` float32 (1, H, W, 3), as `Inputs.hints`

    Args:
        graph: the graph of a Colorizer.
        size: H and W; None leaves them to the caller of `resize_tensor_input`.
        core: convert the network alone.
        distribution: give a core the output `distribution` too: see `ColorGraph.core`.

    Raises:
        ColorizeError: the converter would need operators that are not built in.
    """
    function: Callable[..., dict[str, Tensor]]
    if core:
        name, specs = PREDICT_AB, [tf.TensorSpec((1, size, size, 1), tf.float32, name="L")]
        if graph.takes_hints:
            specs.append(tf.TensorSpec((1, size, size, HINT_CHANNELS), tf.float32, name="hints"))
        function = lambda L, hints=None: graph.core(L, hints, distribution)  # noqa: E731
    else:
        name, specs = COLORIZE, [tf.TensorSpec((1, size, size, 3), tf.uint8, name="image")]
        function = lambda image: {"colorized": graph.colorize(image, gather=False)}  # noqa: E731
    traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    with tempfile.TemporaryDirectory() as folder:
        # Through a file: `from_concrete_functions` silently loses the weights of a Keras model.
        tf.saved_model.save(graph, folder, signatures={name: traced})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            content = converter.convert()
        except Exception as error:  # the converter has several classes of its own
            raise ColorizeError(f"this network does not convert to TFLite: {first_line(error)}") from error
    check_built_in(content)
    return content


def check_built_in(content: bytes) -> None:
    """Check that every operator of a file is one that all interpreters have.

    Raises:
        ColorizeError: it holds custom operators, Flex among them.
    """
    schema = need("ai_edge_litert.schema_py_generated")
    model = schema.Model.GetRootAs(content, 0)
    codes = [model.OperatorCodes(number) for number in range(model.OperatorCodesLength())]
    custom = [str(code.CustomCode()) for code in codes if code.CustomCode() is not None]
    if custom:
        raise ColorizeError(f"the TFLite file needs operators that are not built in: {', '.join(custom)}")


class LiteRT:
    """A TFLite file in LiteRT's interpreter, with XNNPACK, its default.

    Args:
        content: the file.
        threads: how many threads it may use.
    """

    def __init__(self, content: bytes, threads: int = 2) -> None:
        package = need("ai_edge_litert.interpreter")
        with quiet_stderr():  # the interpreter tells of its delegate
            self._interpreter = package.Interpreter(model_content=content, num_threads=threads)
            runner = self._interpreter.get_signature_runner()  # of the only signature
        self._inputs = {name: details["index"] for name, details in runner.get_input_details().items()}
        self._outputs = {name: details["index"] for name, details in runner.get_output_details().items()}
        self._shapes: dict[str, tuple[int, ...]] = {}

    @property
    def signatures(self) -> dict[str, dict[str, list[str]]]:
        """Name of each signature → the names of its inputs and outputs."""
        return self._interpreter.get_signature_list()

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Run on inputs by name, of any size where the file has free sizes; return outputs by name."""
        shapes = {name: value.shape for name, value in inputs.items()}
        if shapes != self._shapes:
            for name, shape in shapes.items():
                self._interpreter.resize_tensor_input(self._inputs[name], shape, strict=True)
            with quiet_stderr():  # as above
                self._interpreter.allocate_tensors()
            self._shapes = shapes
        for name, value in inputs.items():
            self._interpreter.set_tensor(self._inputs[name], value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}

    def delegation(self) -> "Delegation":
        """Count the operators that XNNPACK runs. For free sizes XNNPACK decides at the first run: call it after one."""
        nodes = self._interpreter._get_ops_details()
        parts = [node for node in nodes if node["op_name"] == "DELEGATE"]
        producers = {int(tensor): node for node in nodes if node not in parts for tensor in node["outputs"]}
        taken: set[int] = set()
        for part in parts:
            # The interpreter lists replaced nodes as well: those of a partition lie between its outputs and its inputs.
            inputs, waiting = {int(tensor) for tensor in part["inputs"]}, [int(tensor) for tensor in part["outputs"]]
            while waiting:
                tensor = waiting.pop()
                node = producers.get(tensor)
                if node is None or tensor in inputs or node["index"] in taken:
                    continue
                taken.add(node["index"])
                waiting += [int(needed) for needed in node["inputs"]]
        left = Counter(node["op_name"] for node in nodes if node not in parts and node["index"] not in taken)
        return Delegation(len(parts), len(taken), dict(left))


@dataclass(frozen=True)
class Delegation:
    """How much of a file the delegate runs.

    Attributes:
        partitions: connected groups of delegated operators; entering each costs time.
        delegated: how many operators the groups have.
        left: operator → how many of it the interpreter's own kernels run.
    """

    partitions: int
    delegated: int
    left: dict[str, int]
