"""Metadata of TFLite and ONNX files: a description for people, TFLite's standard metadata, and JSON for programs."""

import json
from dataclasses import asdict, dataclass

import flatbuffers
import numpy as np

from keras_colorize import __version__
from keras_colorize.color.spaces import BinnedLabSpace
from keras_colorize.export.packages import need
from keras_colorize.export.request import ExportRequest
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.hint_table import COLUMNS

# The entry that Android's and MediaPipe's metadata readers look for, and its file identifier
# (TFLite metadata schema 1.x, metadata_schema.fbs).
STANDARD, _IDENTIFIER = "TFLITE_METADATA", b"M001"
OWN = "keras_colorize"  # the same as JSON, with fields that the standard does not have

_DISC = (
    "a hint is a disc: all pixels whose middles lie within its radius of its place, and at least the pixel nearest to"
    " it; where discs overlap, their a and b are averaged"
)
_HINT_PLANES = (
    "hints: planes a, b and mask; mask 1 and the colour's a and b where a hint lies, all three 0 elsewhere, so that"
    f" zeros mean no hints; {_DISC}; places and radii are scaled with the photo"
)
_HINT_TABLE = (
    f"hints: K rows for each photo of {', '.join(COLUMNS)}; x, y and radius in pixels of the photo, from the middle of"
    f" its top left pixel; used is 1, or 0 for a row that only fills the table; {_DISC}"
)


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
    """The metadata of one file.

    Attributes:
        bins: the chroma (a, b) in CIE units of each class of an output `distribution`, in its order; otherwise empty.
    """

    name: str
    description: str
    version: str
    author: str
    license: str
    signature: str
    quantization: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]
    bins: tuple[tuple[float, float], ...] = ()

    def to_json(self) -> str:
        """Return all fields as one JSON object."""
        return json.dumps(asdict(self), ensure_ascii=False)


def model_metadata(colorizer: Colorizer, request: ExportRequest, side: int | None, signature: str) -> ModelMetadata:
    """Describe an exported TFLite or ONNX file.

    Args:
        colorizer: the system.
        request: as it was exported.
        side: height and width of the input; None where they are free.
        signature: of the file.
    """
    batch = "1" if request.format == "tflite" else "N"
    shape = f"{batch} × {side or 'H'} × {side or 'W'}"
    hinted = colorizer.space.takes_hints
    bins: tuple[tuple[float, float], ...] = ()
    if request.core:
        unit = "float32", "CIE a* and b*", "features"
        inputs = [
            TensorMetadata("L", "lightness, CIELAB", f"{shape} × 1", "float32", "CIE L*, 0 to 100", "features", 0, 100)
        ]
        outputs = [TensorMetadata("ab", "chroma, CIELAB", f"{shape} × 2", *unit, -110, 110)]
        if hinted:
            inputs.append(TensorMetadata("hints", _HINT_PLANES, f"{shape} × 3", *unit, -110, 110))
        if request.distribution and isinstance(colorizer.space, BinnedLabSpace):
            bins = tuple((float(a), float(b)) for a, b in colorizer.space.bins.centers)
            outputs.append(_distribution(colorizer, batch, side, len(bins)))
        what = "lightness and hints in, chroma out" if hinted else "lightness in, chroma out"
    else:
        pixels = f"{shape} × 3", "uint8", "sRGB levels, 0 to 255; no normalization", "rgb"
        inputs = [TensorMetadata("image", "photo, grey or with colours to be ignored", *pixels, 0, 255)]
        outputs = [TensorMetadata("colorized", "the photo in colour", *pixels, 0, 255)]
        if hinted and request.format == "onnx":
            table = f"{batch} × K × {len(COLUMNS)}", "float32", "pixels and CIE units", "features"
            inputs.append(TensorMetadata("hints", _HINT_TABLE, *table, -110, 50_000))
        what = "a photo in, the same photo in colour out, its lightness kept"
    return ModelMetadata(
        colorizer.name,
        f"Colorization of photographs, {colorizer.name} ({colorizer.recipe.summary}): {what}.",
        __version__,
        "keras-colorize",
        "Apache-2.0",
        signature,
        request.quantize,
        tuple(inputs),
        tuple(outputs),
        bins,
    )


def _distribution(colorizer: Colorizer, batch: str, side: int | None, classes: int) -> TensorMetadata:
    """Describe the output `distribution`, which has the size of the network's own output."""
    factor = colorizer.image_size // colorizer.generator.output_shape[1]
    sides = f"{side // factor} × {side // factor}" if side else f"H/{factor} × W/{factor}"
    text = "probability of each class of chroma, before temperature and gain; `bins` has the a and b of the classes"
    return TensorMetadata(
        "distribution", text, f"{batch} × {sides} × {classes}", "float32", "shares, sum 1", "features", 0, 1
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
    for name, data in ((STANDARD, _standard(metadata)), (OWN, metadata.to_json().encode())):
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
    tensors = [
        _vector(builder, [_tensor(builder, tensor) for tensor in side]) for side in (metadata.inputs, metadata.outputs)
    ]
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


def _tensor(builder: flatbuffers.Builder, tensor: TensorMetadata) -> int:
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


def _table(
    builder: flatbuffers.Builder, slots: int, offsets: dict[int, int], small: dict[int, int] | None = None
) -> int:
    """Write a table with references in some fields and bytes in others."""
    builder.StartObject(slots)
    for number, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(number, offset, 0)
    for number, value in (small or {}).items():
        builder.PrependUint8Slot(number, value, 0)
    return builder.EndObject()


def _vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder: flatbuffers.Builder, value: float) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return builder.EndVector()
