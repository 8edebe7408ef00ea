"""Metadata of a TFLite file: a description for people, the standard metadata and JSON for programs."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import flatbuffers
import numpy as np

from keras_colorize import __version__
from keras_colorize.export.packages import need
from keras_colorize.export.request import ExportRequest

# The entry that Android's and MediaPipe's metadata readers look for, and its file identifier
# (TFLite metadata schema 1.x, metadata_schema.fbs).
STANDARD, _IDENTIFIER = "TFLITE_METADATA", b"M001"
OWN = "keras_colorize"  # the same as JSON, with fields that the standard does not have


@dataclass(frozen=True)
class TensorMetadata:
    """One input or output.

    Attributes:
        content: "rgb", "grey" or "features".
        low, high: the range of values.
        mean, scale: the normalization `(value − mean) / scale` that the caller has to apply; 0 and 1 mean none.
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
class ModelMetadata:
    """The metadata of one file."""

    name: str
    description: str
    version: str
    author: str
    license: str
    signature: str
    quantization: str
    input: TensorMetadata
    output: TensorMetadata


def model_metadata(name: str, summary: str, request: ExportRequest, side: int | None, signature: str) -> ModelMetadata:
    """Describe an exported file.

    Args:
        name, summary: of the system.
        side: height and width of the input; None where they are free.
        signature: of the file.
    """
    shape = f"1 × {side or 'H'} × {side or 'W'}"
    if request.core:
        L = "lightness, CIELAB", f"{shape} × 1", "float32", "CIE L*, 0 to 100", "features"
        ab = "chroma, CIELAB", f"{shape} × 2", "float32", "CIE a* and b*", "features"
        given, found = TensorMetadata("L", *L, 0, 100), TensorMetadata("ab", *ab, -110, 110)
        what = "lightness in, chroma out"
    else:
        pixels = f"{shape} × 3", "uint8", "sRGB levels, 0 to 255; no normalization", "rgb"
        given = TensorMetadata("image", "photo, grey or with colours to be ignored", *pixels, 0, 255)
        found = TensorMetadata("colorized", "the photo in colour", *pixels, 0, 255)
        what = "a photo in, the same photo in colour out, its lightness kept"
    return ModelMetadata(
        name,
        f"Colorization of photographs, {name} ({summary}): {what}.",
        __version__,
        "keras-colorize",
        "Apache-2.0",
        signature,
        request.quantize,
        given,
        found,
    )


def with_metadata(content: bytes, metadata: ModelMetadata) -> bytes:
    """Return the file with metadata inside, in place of any that it had."""
    schema = need("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if (
            buffer.offset > 1
        ):  # the quantizer appends weights to the flatbuffer, at offsets that change: move them inside
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    model.description = metadata.description.encode()
    model.metadata = [entry for entry in model.metadata or [] if entry.name not in (STANDARD.encode(), OWN.encode())]
    own = json.dumps(asdict(metadata), ensure_ascii=False).encode()
    for name, data in ((STANDARD, _standard(metadata)), (OWN, own)):
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = np.frombuffer(data, np.uint8)
        entry.name, entry.buffer = name, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(entry)
    builder = flatbuffers.Builder(len(content) + (1 << 16))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def read_metadata(content: bytes, name: str = OWN) -> bytes | None:
    """Return one metadata entry of a file, None where it has none of that name."""
    schema = need("ai_edge_litert.schema_py_generated")
    model = schema.Model.GetRootAs(content, 0)
    for number in range(model.MetadataLength()):
        entry = model.Metadata(number)
        if entry.Name() == name.encode():
            return model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    return None


def _standard(metadata: ModelMetadata) -> bytes:
    """Write metadata by the standard schema. The numbers of fields are those of metadata_schema.fbs."""
    builder = flatbuffers.Builder(2048)
    tensors = [_vector(builder, [_tensor(builder, tensor)]) for tensor in (metadata.input, metadata.output)]
    subgraph = _table(builder, 10, {0: builder.CreateString(metadata.signature), 2: tensors[0], 3: tensors[1]})
    texts = {
        0: metadata.name,
        1: metadata.description,
        2: metadata.version,
        4: metadata.author,
        5: metadata.license,
        7: "1.0.0",
    }
    fields = {number: builder.CreateString(text) for number, text in texts.items()}
    model = _table(builder, 8, fields | {3: _vector(builder, [subgraph])})
    builder.Finish(model, _IDENTIFIER)
    return bytes(builder.Output())


def _tensor(builder: Any, tensor: TensorMetadata) -> int:
    """Write a TensorMetadata table: name, description, content, process units (normalization), stats (range)."""
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
    """Write a table with references in some fields and bytes in others."""
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
