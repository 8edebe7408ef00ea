"""The converter of Keras networks into network files, with TensorFlow's converter for TFLite.

The file is made at a size of 13 by 17 steps: the factors 13 and 17 tell heights and widths from all other numbers.
"""

import struct
import tempfile
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.color.spaces import BinnedLabSpace
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.keras_network import KerasNetwork
from keras_colorize.inference.network_file import AB, LOGITS, NetworkFile
from keras_colorize.tensor import Tensor

# Steps of the file's own height and width. Neither prime divides a number of channels of the zoo's networks.
ROWS, COLUMNS = 13, 17

_INT32 = 2  # TensorType of TFLite's schema
_LARGEST_SHAPE = 8  # numbers in a constant that may be a shape


def convert_network(network: KerasNetwork, name: str, source: str = "") -> NetworkFile:
    """Convert a network into a file for LiteRT, in browsers and elsewhere.

    Args:
        network: float32.
        name: of the system.
        source: its digest, see `network_file.network_digest`; empty where nobody asks for it.

    Raises:
        ColorizeError: the network does not convert.
    """
    size, multiple = network.image_size, network.multiple
    height, width = (size, size) if multiple is None else (ROWS * multiple, COLUMNS * multiple)
    content = _converted(network, height, width)
    facts = {
        "name": name,
        "size": size,
        "multiple": multiple,
        "height": height,
        "width": width,
        "hints": network.space.takes_hints,
        "output": LOGITS if isinstance(network.space, BinnedLabSpace) else AB,
        "places": [] if multiple is None else [list(place) for place in _places(content)],
        "probe": _probe(network),
        "source": source,
    }
    return NetworkFile(content, facts)


def _converted(network: KerasNetwork, height: int, width: int) -> bytes:
    def predict(L: Tensor, hints: Tensor = None) -> dict[str, Tensor]:
        return _answer(network, Inputs(L, hints))

    specs = [tf.TensorSpec((1, height, width, 1), tf.float32, name="L")]
    if network.space.takes_hints:
        specs.append(tf.TensorSpec((1, height, width, HINT_CHANNELS), tf.float32, name="hints"))
    module = tf.Module()
    module.variables_of_network = [variable.value for variable in network.generator.variables]
    traced = tf.function(predict, autograph=False).get_concrete_function(*specs)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"network": traced})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["network"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        try:
            return converter.convert()
        except Exception as error:  # the converter has several classes of its own
            reason = str(error).strip().partition("\n")[0]
            raise ColorizeError(f"this network does not convert to TFLite: {reason}") from error


def _probe(network: KerasNetwork) -> dict[str, float]:
    """Return the mean absolute answer to a small test picture, by which the page judges a graphics card."""
    side = network.image_size
    L = np.tile(20.0 + 60.0 * np.arange(side, dtype=np.float32) / side, (1, side, 1))[..., None]
    hints = np.zeros((1, side, side, HINT_CHANNELS), np.float32) if network.space.takes_hints else None
    (values,) = _answer(network, Inputs(L, hints)).values()
    return {"width": side, "height": side, "mean": float(np.abs(values).mean())}


def _answer(network: KerasNetwork, inputs: Inputs) -> dict[str, Tensor]:
    """Return the network's outputs by name."""
    prediction = network.predict(inputs)
    if isinstance(network.space, BinnedLabSpace):
        return {LOGITS: network.space.without_rebalancing(prediction)}
    return {AB: network.space.chroma(Inputs(inputs.lightness), prediction)}  # whoever runs it moves it to the hints


def _places(content: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Find the numbers that follow from the size: their place in the file, what else is in them, powers of h and w."""
    file = _FlatBuffer(content)
    model = file.root()
    buffers = file.tables(model, 4)
    for subgraph in file.tables(model, 2):
        for tensor in file.tables(subgraph, 0):
            start, count = file.vector(tensor, 0)
            places = [start + 4 * axis for axis in range(count)]
            if file.byte(tensor, 1) == _INT32:
                start, size = file.vector(buffers[file.number(tensor, 2)], 0)
                if size <= 4 * _LARGEST_SHAPE:
                    places += range(start, start + size, 4)
            for place in places:
                (number,) = struct.unpack_from("<i", content, place)
                rows, columns = (number > 0 and number % prime == 0 for prime in (ROWS, COLUMNS))
                if rows or columns:
                    yield place, number // (ROWS**rows * COLUMNS**columns), int(rows), int(columns)


class _FlatBuffer:
    """The few reads of a FlatBuffer that are needed. Positions are bytes from the file's start; fields are numbers."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def root(self) -> int:
        return self._uint32(0)

    def vector(self, table: int, field: int) -> tuple[int, int]:
        """Return where a vector's items begin and how many there are."""
        at = self._field(table, field)
        if at is None:
            return 0, 0
        start = at + self._uint32(at)
        return start + 4, self._uint32(start)

    def tables(self, table: int, field: int) -> list[int]:
        start, count = self.vector(table, field)
        return [at + self._uint32(at) for at in range(start, start + 4 * count, 4)]

    def number(self, table: int, field: int) -> int:
        at = self._field(table, field)
        return 0 if at is None else self._uint32(at)

    def byte(self, table: int, field: int) -> int:
        at = self._field(table, field)
        return 0 if at is None else self._content[at]

    def _field(self, table: int, field: int) -> int | None:
        names = table - struct.unpack_from("<i", self._content, table)[0]
        slot = 4 + 2 * field
        if slot >= struct.unpack_from("<H", self._content, names)[0]:
            return None
        offset = struct.unpack_from("<H", self._content, names + slot)[0]
        return table + offset if offset else None

    def _uint32(self, at: int) -> int:
        return int(struct.unpack_from("<I", self._content, at)[0])
