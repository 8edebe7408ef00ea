"""The SavedModel that TF Serving runs: encoded photos, pixels with or without hints, or lightness in; colour out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from keras_colorize.color.inputs import HINT_CHANNELS, Inputs
from keras_colorize.export import headers
from keras_colorize.export.servable import ServingFrame
from keras_colorize.inference.graph import ColorGraph
from keras_colorize.inference.hint_table import COLUMNS
from keras_colorize.tensor import Tensor

# The suffix of the signatures that take `vividness` too. TF Serving requires every input of a signature, so that an
# optional input needs a signature of its own.
VIVIDNESS_SUFFIX = "_vividness"

# The signatures of the network alone.
PREDICT_AB, PREDICT_AB_HINTS = "predict_ab", "predict_ab_hints"

# The values of the output `error`; braces hold the figure of a limit.
_ERRORS = (
    "",
    "empty: no bytes came; send an encoded photo",
    "not an image that this model reads: send JPEG, PNG, GIF, BMP or WebP",
    "too large: the photo has more than {max_pixels:,} pixels; send a smaller one",
    "too much: the photos of the request up to here have more than {max_request_pixels:,} pixels; send fewer at a time",
    "does not decode: the file is damaged or cut off, or of a kind of its format that TensorFlow does not read",
)
_FINE, _EMPTY, _UNKNOWN, _TOO_LARGE, _TOO_MUCH, _DAMAGED = range(len(_ERRORS))


@dataclass(frozen=True)
class Limits:
    """Limits of one request, checked inside the graph before anything is decoded.

    Attributes:
        max_pixels: of one photo.
        max_request_pixels: of all photos of one request.
        max_hints: rows of the table of hints, for each photo.
    """

    max_pixels: int = 50_000_000
    max_request_pixels: int = 100_000_000
    max_hints: int = 1_000


def save(graph: ColorGraph, folder: Path, limits: Limits) -> None:
    """Write the SavedModel with its signatures.

    Each signature has a twin `…_vividness`, which takes a scalar float32 `vividness` too:

    * `serving_default`: `image_bytes` string (N,) → `colorized_bytes` string (N,), PNG, and `error` string (N,)
    * `colorize`: `image` uint8 (N, H, W, 1 or 3) → `colorized` uint8 (N, H, W, 3)
    * `colorize_hints`, of a network that takes hints: `image` and `hints` float32 (N, K, 6), a table of
      `inference.hint_table` → `colorized`
    * `predict_ab`: `L` float32 (N, H, W, 1) in [0, 100] → `ab` float32 (N, H, W, 2) in CIE units
    * `predict_ab_hints`, of a network that takes hints: `L` and `hints` float32 (N, H, W, 3), as `Inputs.hints`, at a
      size that the network takes → `ab`
    """
    image = tf.TensorSpec([None] * 4, tf.uint8, name="image")
    L = tf.TensorSpec([None, None, None, 1], tf.float32, name="L")
    functions: dict[str, tuple[Callable[..., dict[str, Tensor]], list[tf.TensorSpec]]] = {
        "serving_default": (_serve(graph, limits), [tf.TensorSpec([None], tf.string, name="image_bytes")]),
        "colorize": (_colorize(graph, limits), [image]),
        PREDICT_AB: (_predict_ab(graph, limits), [L]),
    }
    if graph.takes_hints:
        table = tf.TensorSpec([None, None, len(COLUMNS)], tf.float32, name="hints")
        functions["colorize_hints"] = (_colorize_hints(graph, limits), [image, table])
        planes = tf.TensorSpec([None, None, None, HINT_CHANNELS], tf.float32, name="hints")
        functions[PREDICT_AB_HINTS] = (_predict_ab_hints(graph, limits), [L, planes])
    vividness = tf.TensorSpec([], tf.float32, name="vividness")
    signatures = {}
    for name, (function, specs) in functions.items():
        asked = tf.function(function, autograph=False)
        signatures[name + VIVIDNESS_SUFFIX] = asked.get_concrete_function(*specs, vividness)
        # One graph for both: the plain signature calls the other with the vividness of the export.
        plain = tf.function(lambda *given, f=asked: f(*given, tf.constant(graph.vividness)), autograph=False)
        signatures[name] = plain.get_concrete_function(*specs)
    tf.saved_model.save(graph, str(folder), signatures=signatures)
    ServingFrame(graph.image_size, graph.multiple, graph.takes_hints).write(folder)


def _serve(graph: ColorGraph, limits: Limits) -> Callable[..., dict[str, Tensor]]:
    messages = tf.constant(
        [text.format(max_pixels=limits.max_pixels, max_request_pixels=limits.max_request_pixels) for text in _ERRORS]
    )

    def serve(image_bytes: Tensor, vividness: Tensor) -> dict[str, Tensor]:
        pixels = tf.map_fn(_claimed_pixels, image_bytes, fn_output_signature=tf.int64)
        so_far = tf.cumsum(tf.where(pixels > limits.max_pixels, tf.zeros_like(pixels), tf.maximum(pixels, 0)))
        status = tf.where(pixels < 0, tf.cast(-pixels, tf.int32), _FINE)
        status = tf.where(pixels > limits.max_pixels, _TOO_LARGE, status)
        status = tf.where(tf.logical_and(status == _FINE, so_far > limits.max_request_pixels), _TOO_MUCH, status)

        def one(given: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            contents, status = given
            photo, alpha, status = tf.cond(
                status == _FINE, lambda: _decoded(contents, limits), lambda: _nothing(status)
            )
            encoded = tf.cond(
                status == _FINE,
                lambda: _encoded(graph.colorize_in_strips(photo[None], vividness)[0], alpha),
                lambda: tf.constant(b""),
            )
            return encoded, status

        # Two photos at a time: while one is decoded the other has the network.
        colorized, status = tf.map_fn(
            one, (image_bytes, status), fn_output_signature=(tf.string, tf.int32), parallel_iterations=2
        )
        return {"colorized_bytes": colorized, "error": tf.gather(messages, status)}

    return serve


def _colorize(graph: ColorGraph, limits: Limits) -> Callable[..., dict[str, Tensor]]:
    def colorize(image: Tensor, vividness: Tensor) -> dict[str, Tensor]:
        return {"colorized": graph.colorize_in_strips(_checked_rgb(image, limits), vividness)}

    return colorize


def _colorize_hints(graph: ColorGraph, limits: Limits) -> Callable[..., dict[str, Tensor]]:
    def colorize(image: Tensor, hints: Tensor, vividness: Tensor) -> dict[str, Tensor]:
        rgb = _checked_rgb(image, limits)
        with tf.control_dependencies(_check_hints(hints, image, limits)):
            table = tf.identity(hints)
        return {"colorized": graph.colorize_in_strips(rgb, vividness, table)}

    return colorize


def _checked_rgb(image: Tensor, limits: Limits) -> Tensor:
    """Return photos uint8 (N, H, W, 1 or 3) as (N, H, W, 3), after checks of their channels and sizes."""
    channels = tf.shape(image)[3]
    known = tf.debugging.Assert(
        tf.logical_or(channels == 1, channels == 3), ["image must have 1 or 3 channels, not", channels]
    )
    with tf.control_dependencies([known, *_check_pixels(image, limits)]):
        rgb = tf.tile(image, [1, 1, 1, 3 // tf.maximum(channels, 1)])
    return tf.ensure_shape(rgb, (None, None, None, 3))


def _check_hints(hints: Tensor, image: Tensor, limits: Limits) -> list[tf.Operation]:
    """Check a table of hints (N, K, 6) beside photos (N, H, W, C)."""
    batch, height, width = tf.unstack(tf.shape(image)[:3])
    x, y, radius, _, _, used = tf.unstack(hints, axis=-1)
    unused = used <= 0.5
    right, bottom = (tf.cast(side, tf.float32) - 0.5 for side in (width, height))
    in_photo = tf.reduce_all([x >= -0.5, x <= right, y >= -0.5, y <= bottom, radius >= 0.0], axis=0)
    finite = tf.reduce_all(tf.math.is_finite(hints))
    count = tf.shape(hints)[1]
    return [
        tf.debugging.Assert(tf.shape(hints)[0] == batch, ["hints must be a table for each of", batch, "photos"]),
        tf.debugging.Assert(count <= limits.max_hints, ["at most", limits.max_hints, "hints for a photo"]),
        tf.debugging.Assert(finite, ["hints must be finite numbers"]),
        tf.debugging.Assert(
            tf.reduce_all(tf.logical_or(unused, in_photo)),
            ["hints must lie in the photo of", height, "by", width, "and have a radius of at least 0"],
        ),
    ]


def _predict_ab(graph: ColorGraph, limits: Limits) -> Callable[..., dict[str, Tensor]]:
    def predict_ab(L: Tensor, vividness: Tensor) -> dict[str, Tensor]:
        with tf.control_dependencies(_check_pixels(L, limits)):
            return {"ab": graph.predict_ab(tf.identity(L), vividness)}

    return predict_ab


def _predict_ab_hints(graph: ColorGraph, limits: Limits) -> Callable[..., dict[str, Tensor]]:
    side = graph.image_size if graph.multiple is None else None

    def predict_ab(L: Tensor, hints: Tensor, vividness: Tensor) -> dict[str, Tensor]:
        with tf.control_dependencies(_check_pixels(L, limits)):
            inputs = Inputs(tf.identity(L), hints).map(
                lambda field: tf.ensure_shape(field, (None, side, side, field.shape[-1]))
            )
        return {"ab": graph.chroma(inputs, vividness)}

    return predict_ab


def _check_pixels(images: Tensor, limits: Limits) -> list[tf.Operation]:
    batch, height, width = tf.unstack(tf.shape(images, out_type=tf.int64)[:3])
    return [
        tf.debugging.Assert(height * width > 0, ["images must have pixels, not", height, "by", width]),
        tf.debugging.Assert(height * width <= limits.max_pixels, ["at most", limits.max_pixels, "pixels in an image"]),
        tf.debugging.Assert(
            batch * height * width <= limits.max_request_pixels,
            ["at most", limits.max_request_pixels, "pixels in a request"],
        ),
    ]


def _claimed_pixels(contents: Tensor) -> Tensor:
    """Read the number of pixels from a photo's header, or return minus the number of its error: scalar int64."""
    kind = headers.kind(contents)

    def read() -> Tensor:
        # Sides are cut first: their product cannot overflow, and beyond 2²⁴ every limit is exceeded anyhow.
        pixels = _or_else(
            lambda: tf.reduce_prod(tf.minimum(headers.size(contents, kind), 1 << 24)), tf.constant(0, tf.int64)
        )
        return tf.where(pixels > 0, pixels, -_DAMAGED)

    def nothing() -> Tensor:
        return tf.where(tf.strings.length(contents) == 0, -_EMPTY, -_UNKNOWN)

    return tf.cond(kind == headers.UNKNOWN, lambda: tf.cast(nothing(), tf.int64), read)


def _decoded(contents: Tensor, limits: Limits) -> tuple[Tensor, Tensor, Tensor]:
    """Decode bytes to rgb_u8 (H, W, 3) upright, alpha (H, W, 1), or (0, 0, 1) for an opaque photo, and a status."""
    kind = headers.kind(contents)

    def decode() -> Tensor:
        def other() -> Tensor:
            return tf.io.decode_image(contents, channels=3, expand_animations=False)

        def jpeg() -> Tensor:  # the same bits as Pillow where libjpeg is the same
            return tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True)

        def png() -> Tensor:
            return tf.io.decode_png(contents, channels=4)

        pixels = tf.switch_case(kind, [other, jpeg, png, other, other, other])
        return tf.ensure_shape(pixels, (None, None, None))

    pixels = _or_else(decode, tf.zeros((0, 0, 3), tf.uint8))
    height, width = tf.unstack(tf.shape(pixels, out_type=tf.int64)[:2])
    # A decoder may find another size than the header claimed.
    fine = tf.logical_and(height * width > 0, height * width <= limits.max_pixels)
    pixels = headers.upright(pixels, headers.orientation(contents, kind))
    alpha = pixels[..., 3:]
    transparent = tf.reduce_any(alpha < 255)  # false where there is no alpha
    alpha = tf.cond(transparent, lambda: alpha, lambda: tf.zeros((0, 0, 1), tf.uint8))
    return (
        tf.ensure_shape(pixels[..., :3], (None, None, 3)),
        tf.ensure_shape(alpha, (None, None, 1)),
        tf.where(fine, _FINE, _DAMAGED),
    )


def _nothing(status: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return tf.zeros((0, 0, 3), tf.uint8), tf.zeros((0, 0, 1), tf.uint8), status


def _encoded(photo: Tensor, alpha: Tensor) -> Tensor:
    """Encode a photo as PNG, with its transparency where it has some."""
    # [choice] The quickest compression: at the default, encoding takes longer than everything else, for 10 % of size.
    return tf.cond(
        tf.size(alpha) > 0,
        lambda: tf.io.encode_png(tf.concat([photo, alpha], axis=-1), compression=1),
        lambda: tf.io.encode_png(photo, compression=1),
    )


def _or_else(compute: Callable[[], Tensor], otherwise: Tensor) -> Tensor:
    """Compute a tensor, or return `otherwise` where TensorFlow fails to compute it.

    No operator catches errors, but a dataset can skip elements that fail. This dataset has two elements, the second of
    which cannot fail; the first that is left is the result. All operators are ordinary ones, which every server has.
    """
    attempt = tf.data.Dataset.from_tensors(0).map(lambda _: compute()).ignore_errors()
    return attempt.concatenate(tf.data.Dataset.from_tensors(otherwise)).take(1).get_single_element()


def write_models_config(folder: Path, name: str) -> None:
    """Write `models.config`, with which TF Serving finds the model `name` in a folder."""
    (folder / "models.config").write_text(_MODELS_CONFIG.format(name=name), encoding="utf-8")


_MODELS_CONFIG = """\
# tensorflow_model_server --model_config_file=…/models.config; base_path is where this folder is in the server.
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
    model_version_policy {{ latest {{ num_versions: 1 }} }}
  }}
}}
"""
