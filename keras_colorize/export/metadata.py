"""What a TFLite file says of itself: for people in its description, for programs in the standard metadata."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import flatbuffers
import numpy as np

from keras_colorize.export.extras import need

# What Android's and MediaPipe's metadata readers look for, and its file identifier
# (TFLite metadata schema 1.x, metadata_schema.fbs).
STANDARD, _IDENTIFIER = "TFLITE_METADATA", b"M001"
OWN = "keras_colorize"  # the same as JSON, with what the standard has no place for


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    content: "rgb", "grey" or "features".
    mean, scale: of `(value − mean) / scale`, which the caller has to apply first; 0 and 1 for nothing.
    low, high: the range of values.
    """

    name: str
    description: str
    shape: str
    dtype: str
    unit: str
    content: str
    low: float
    high: float
    mean: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Card:
    """All that a file says of itself."""

    name: str
    description: str
    version: str
    author: str
    license: str
    signature: str
    quantization: str
    input: Tensor
    output: Tensor


def with_metadata(content: bytes, card: Card) -> bytes:
    """The file with the card inside, in place of any that it had."""
    schema = need("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # the quantizer puts weights behind the flatbuffer, where nothing else may be moved
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    model.description = card.description.encode()
    model.metadata = [entry for entry in model.metadata or [] if entry.name not in (STANDARD.encode(), OWN.encode())]
    for name, data in ((STANDARD, _packed(card)), (OWN, json.dumps(asdict(card), ensure_ascii=False).encode())):
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = np.frombuffer(data, np.uint8)
        entry.name, entry.buffer = name, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(entry)
    builder = flatbuffers.Builder(len(content) + (1 << 16))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def read_metadata(content: bytes, name: str = OWN) -> bytes | None:
    """One metadata entry of a file, None where it has none of that name."""
    schema = need("ai_edge_litert.schema_py_generated")
    model = schema.Model.GetRootAs(content, 0)
    for number in range(model.MetadataLength()):
        entry = model.Metadata(number)
        if entry.Name() == name.encode():
            return model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    return None


def _packed(card: Card) -> bytes:
    """The card by the standard schema. Numbers of fields are those of metadata_schema.fbs."""
    builder = flatbuffers.Builder(2048)
    tensors = [_vector(builder, [_tensor(builder, tensor)]) for tensor in (card.input, card.output)]
    subgraph = _table(builder, 10, {0: builder.CreateString(card.signature), 2: tensors[0], 3: tensors[1]})
    texts = {0: card.name, 1: card.description, 2: card.version, 4: card.author, 5: card.license, 7: "1.0.0"}
    fields = {number: builder.CreateString(text) for number, text in texts.items()}
    model = _table(builder, 8, fields | {3: _vector(builder, [subgraph])})
    builder.Finish(model, _IDENTIFIER)
    return bytes(builder.Output())


def _tensor(builder: Any, tensor: Tensor) -> int:
    """TensorMetadata: name, description, content, process units (normalization), stats (range)."""
    texts = {0: builder.CreateString(tensor.name), 1: builder.CreateString(f"{tensor.description} ({tensor.unit})")}
    if tensor.content in ("rgb", "grey"):
        properties, kind = _table(builder, 2, {}, {0: 1 if tensor.content == "rgb" else 2}), 2  # ImageProperties
    else:
        properties, kind = _table(builder, 0, {}), 1  # FeatureProperties
    content = _table(builder, 3, {1: properties}, {0: kind})
    normalization = _table(builder, 2, {0: _floats(builder, tensor.mean), 1: _floats(builder, tensor.scale)})
    unit = _table(builder, 2, {1: normalization}, {0: 1})  # NormalizationOptions
    stats = _table(builder, 2, {0: _floats(builder, tensor.high), 1: _floats(builder, tensor.low)})
    return _table(builder, 7, texts | {3: content, 4: _vector(builder, [unit]), 5: stats})


def _table(builder: Any, slots: int, offsets: dict[int, int], small: dict[int, int] | None = None) -> int:
    """A table with references in some fields and bytes in others."""
    builder.StartObject(slots)
    for number, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(number, offset, 0)
    for number, value in (small or {}).items():
        builder.PrependUint8Slot(number, value, 0)
    return builder.EndObject()


def _vector(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder: Any, value: float) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return builder.EndVector()
