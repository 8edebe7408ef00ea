"""Quantization of TFLite files: the network's weights in float16 or int8, or its layers in int8 altogether.

Only convolutions and dense layers of the network are quantized, which their names tell. The colour conversion, the
guided filter and the decoding of a distribution over colours stay in float32: a quantized colour conversion alone is
off by 40 grey levels and more.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from keras_colorize.errors import ColorizeError
from keras_colorize.export.packages import need
from keras_colorize.export.request import Quantization
from keras_colorize.inference.graph import NETWORK_SCOPE
from keras_colorize.lazy import quiet_stderr

if TYPE_CHECKING:
    from ai_edge_quantizer.quantizer import Quantizer

# Name of a tensor → "min" and "max", and whatever else the quantizer measured.
Ranges: TypeAlias = dict[str, dict[str, np.ndarray]]

# The largest mean difference from the float32 file, in grey levels over all photos. Above it, layers stay in float32.
TOLERANCE = 2.0

# [choice] The share of the calibration inputs whose values a range holds to the last.
_WHOLE = 0.9

_LAYERS = ("CONV_2D", "CONV_2D_TRANSPOSE", "FULLY_CONNECTED")
_BUILTINS = {"CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"}


@dataclass(frozen=True)
class QuantizedModel:
    """A quantized file.

    Attributes:
        content: the file.
        layers: how many of the network's layers can be quantized.
        left_out: the layers that stay in float32, by the names of their outputs.
        difference: the mean difference from the float32 file, in grey levels.
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
) -> QuantizedModel:
    """Quantize a float32 file. Where that costs more than the tolerance, leave the layers that cost most in float32.

    Args:
        content: the float32 file.
        kind: "float16", "dynamic" or "int8".
        signature: of the file.
        calibration: inputs of the signature, by name.
        difference: measures the mean difference of a quantized file from the float32 one, in grey levels over photos.
        tolerance: the largest difference that is allowed.
        progress: called before each slow step with its description.

    Raises:
        ColorizeError: the network has no such layers, or no choice of layers is within the tolerance.
    """
    names = layer_names(content)
    if not names:
        raise ColorizeError(f"nothing to quantize to {kind}: the network has no convolutions or dense layers")
    measured = _Calibration(content, kind, signature, calibration)
    quantized = measured.quantized(())
    error = difference(quantized)
    if error <= tolerance:
        return QuantizedModel(quantized, len(names), [], error)

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
            return QuantizedModel(quantized, len(names), worst_first[:left_out], error)
        left_out += max(1, left_out // 2)
    raise ColorizeError(
        f"with a single layer in {kind} the network is still {error:.1f} grey levels off on average (at most"
        f" {tolerance:g}): use float16, or none"
    )


def layer_names(content: bytes) -> list[str]:
    """Return the names of the outputs of the network's convolutions and dense layers, in order."""
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
    """The quantizer for one float32 file, calibrated once."""

    def __init__(
        self, content: bytes, kind: Quantization, signature: str, calibration: Sequence[dict[str, np.ndarray]]
    ) -> None:
        self._content = content
        self._kind = kind
        self._ranges: Ranges | None = None
        if kind == "int8":
            with _quiet():
                quantizer = self._quantizer(())
                # One by one: over several inputs the quantizer keeps a moving average, in which the first counts most.
                ranges = [quantizer.calibrate({signature: [inputs]}, num_threads=2) for inputs in calibration]
            self._ranges = _joined(ranges)

    def quantized(self, left_out: Collection[str]) -> bytes:
        """Return the file with all layers but some quantized."""
        with _quiet():
            result = self._quantizer(left_out).quantize(self._ranges, enable_progress_report=False)
        return bytes(result.quantized_model)

    def _quantizer(self, left_out: Collection[str]) -> "Quantizer":
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


def _joined(ranges: Sequence[Ranges]) -> Ranges:
    """Join the ranges of each tensor over all inputs into one that holds nine inputs of ten whole.

    Hints make values that no photo without hints has, up to seven times as large. Where they are cut off, the colours
    of the whole photo change; where ranges are as wide as the largest, photos without hints lose resolution.
    `docs/mobile.md` has figures.
    """
    joined = {}
    for name, first in ranges[0].items():
        joined[name] = dict(first)
        for key, quantile in (("min", 1.0 - _WHOLE), ("max", _WHOLE)):
            if key in first:
                values = np.stack([other[name][key] for other in ranges])
                joined[name][key] = np.quantile(values, quantile, axis=0).astype(values.dtype)
    return joined


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantizer's own progress bars and warnings, and its interpreter."""
    said = io.StringIO()
    with (
        quiet_stderr(),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(said),
        warnings.catch_warnings(action="ignore"),
    ):
        yield
