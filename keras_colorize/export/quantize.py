"""Smaller TFLite files: weights in float16 or int8, or the network's convolutions and dense layers in int8 altogether.

Only layers of the network are touched, told by their names. The colour conversion, the guided filter and the decoding
of a distribution over colours stay in float32: a quantized colour conversion alone is off by 40 grey levels and more.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.export.extras import need
from keras_colorize.export.graph import NETWORK_SCOPE
from keras_colorize.export.request import Quantization

# Mean difference to the float32 file, in grey levels over all photos, above which layers are left out.
TOLERANCE = 2.0

_LAYERS = ("CONV_2D", "CONV_2D_TRANSPOSE", "FULLY_CONNECTED")
_BUILTINS = {"CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"}


@dataclass(frozen=True)
class Quantized:
    """A quantized file.

    content: of the file.
    layers: how many layers of the network it has that can be quantized.
    left_out: of those the ones in float32, by the name of what they put out.
    difference: mean to the float32 file, in grey levels.
    """

    content: bytes
    layers: int
    left_out: list[str]
    difference: float


def quantize(
    content: bytes,
    kind: Quantization,
    signature: str,
    calibration: Sequence[dict[str, np.ndarray]],
    difference: Callable[[bytes], float],
    tolerance: float = TOLERANCE,
    progress: Callable[[str], None] = lambda _: None,
) -> Quantized:
    """Quantize a float32 file; where that costs more than the tolerance, leave out the layers that cost most.

    Args:
        signature: of the file, that `calibration` holds inputs for.
        difference: of a quantized file to the float32 one, mean in grey levels over photos.
        progress: called with what is being done, where it takes time.

    Raises:
        ColorizeError: the network has no such layers.
    """
    names = layer_names(content)
    if not names:
        raise ColorizeError(f"nothing to quantize to {kind}: the network has no convolutions or dense layers")
    measured = _Calibration(content, kind, signature, calibration)
    quantized = measured.quantized(())
    error = difference(quantized)
    if error <= tolerance:
        return Quantized(quantized, len(names), [], error)

    costs = {}
    for number, name in enumerate(names, 1):
        progress(f"layer {number} of {len(names)} on its own")
        costs[name] = difference(measured.quantized([other for other in names if other != name]))
    worst_first = sorted(names, key=lambda name: -costs[name])
    left_out = 1
    while left_out < len(names):
        progress(f"{left_out} of {len(names)} layers left out")
        quantized = measured.quantized(worst_first[:left_out])
        error = difference(quantized)
        if error <= tolerance:
            return Quantized(quantized, len(names), worst_first[:left_out], error)
        left_out += max(1, left_out // 2)
    raise ColorizeError(
        f"quantized to {kind} the network is {error:.1f} grey levels off even with all but one layer left out "
        f"(at most {tolerance:g}): use float16, or none"
    )


def layer_names(content: bytes) -> list[str]:
    """Outputs of the network's convolutions and dense layers, in order."""
    schema = need("ai_edge_litert.schema_py_generated")
    model = schema.Model.GetRootAs(content, 0)
    codes = {getattr(schema.BuiltinOperator, name): name for name in _BUILTINS}
    graph, names = model.Subgraphs(0), []
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        if model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode() in codes:
            name = graph.Tensors(operator.Outputs(0)).Name().decode()
            if _in_network(name):
                names.append(name)
    return names


def _in_network(name: str) -> bool:
    return re.search(_NETWORK, name) is not None


_NETWORK = f"(^|[/;]){NETWORK_SCOPE}(_[0-9]+)?/"


class _Calibration:
    """The quantizer on one float32 file, calibrated once."""

    def __init__(
        self, content: bytes, kind: Quantization, signature: str, calibration: Sequence[dict[str, np.ndarray]]
    ) -> None:
        self._content = content
        self._kind = kind
        self._ranges: Any = None
        if kind == "int8":
            with _quiet():
                self._ranges = self._quantizer(()).calibrate({signature: calibration}, num_threads=2)

    def quantized(self, left_out: Collection[str]) -> bytes:
        """The file with all layers quantized but some."""
        with _quiet():
            result = self._quantizer(left_out).quantize(self._ranges, enable_progress_report=False)
        return bytes(result.quantized_model)

    def _quantizer(self, left_out: Collection[str]) -> Any:
        package = need("ai_edge_quantizer")
        types, algorithms = package.qtyping, package.algorithm_manager.AlgorithmName
        quantizer = package.quantizer.Quantizer(self._content)
        for layer in (types.TFLOperationName[name] for name in _LAYERS):
            if self._kind == "int8":
                quantizer.add_static_config(_NETWORK, layer, 8, 8)
            elif self._kind == "dynamic":
                quantizer.add_dynamic_config(_NETWORK, layer, 8)
            else:
                half = types.TensorQuantizationConfig(num_bits=16, dtype=types.TensorDataType.FLOAT)
                options = types.OpQuantizationConfig(
                    weight_tensor_config=half, compute_precision=types.ComputePrecision.FLOAT
                )
                quantizer.update_quantization_recipe(_NETWORK, layer, options, algorithms.FLOAT_CASTING)
            for name in left_out:
                quantizer.update_quantization_recipe(f"^{re.escape(name)}", layer, algorithm_key=algorithms.NO_QUANTIZE)
        return quantizer


@contextlib.contextmanager
def _quiet() -> Any:
    """Without the quantizer's own bars and warnings."""
    said = io.StringIO()
    with (
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(said),
        warnings.catch_warnings(action="ignore"),
    ):
        yield
