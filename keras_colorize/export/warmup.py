"""The warm-up file of TF Serving: one request of each kind, which the server runs before the first user's.

TensorFlow optimizes a graph at its first run, which takes seconds. The records are PredictionLog protos of TF Serving's
API. They are written field by field, since three small messages are not worth a dependency.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"


def write_warmup(folder: Path, name: str, size: int, takes_hints: bool) -> None:
    """Write the file into a SavedModel's folder, with requests for the model `name` at its image size."""
    rgb_u8 = np.linspace(0, 255, size * size * 3).astype(np.uint8).reshape(1, size, size, 3)
    jpeg = io.BytesIO()
    Image.fromarray(rgb_u8[0]).save(jpeg, "JPEG")
    requests: dict[str, dict[str, np.ndarray]] = {
        "serving_default": {"image_bytes": np.array([jpeg.getvalue()], object)},
        "colorize": {"image": rgb_u8},
        "predict_ab": {"L": np.full((1, size, size, 1), 50.0, np.float32)},
    }
    if takes_hints:
        hint = [size / 2, size / 2, size / 20, 20.0, 20.0, 1.0]
        requests["colorize_hints"] = {"image": rgb_u8, "hints": np.array([[hint]], np.float32)}
    (folder / WARMUP_FILE).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as writer:
        for signature, inputs in requests.items():
            # PredictionLog.predict_log = 6, PredictLog.request = 1
            writer.write(_field(6, _field(1, _predict_request(name, signature, inputs))))


def _predict_request(name: str, signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    """Encode a PredictRequest: model_spec = 1 (name = 1, signature_name = 3), inputs = 2 (key = 1, value = 2)."""
    request = _field(1, _field(1, name.encode()) + _field(3, signature.encode()))
    for key, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += _field(2, _field(1, key.encode()) + _field(2, tensor))
    return request


def _field(number: int, content: bytes) -> bytes:
    """Encode a length-delimited field of a protocol buffer."""
    return bytes([*_varint(number << 3 | 2), *_varint(len(content))]) + content


def _varint(value: int) -> Iterator[int]:
    while value > 127:
        yield value & 127 | 128
        value >>= 7
    yield value
