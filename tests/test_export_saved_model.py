"""The SavedModel in the session loader: every signature, every kind of photo, and what is no photo."""

from io import BytesIO

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from keras_colorize.errors import ColorizeError
from keras_colorize.export import saved_model
from keras_colorize.export.session import ServingSession, check_operators
from keras_colorize.export.warmup import WARMUP_FILE, write_warmup
from keras_colorize.inference.graph import ColorGraph
from keras_colorize.inference.hint_table import hint_table
from tests.conftest import colorful_photo
from tests.exports import SIZE, apart, assert_same_photos, decoded, encoded, photos, small_colorizer, some_hints

pytestmark = pytest.mark.slow  # a minute together; .ci/run has them

LIMITS = saved_model.Limits(max_pixels=5000, max_request_pixels=20_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "small" / "1"
    saved_model.save(ColorGraph(small_colorizer(hints=True)), folder, LIMITS)
    write_warmup(folder, "small", SIZE, takes_hints=True)
    return folder


@pytest.fixture(scope="module")
def session(folder):
    session = ServingSession(folder)
    yield session
    session.close()


def serve(session, items, **more):
    signature = "serving_default_vividness" if more else "serving_default"
    found = session(signature, image_bytes=np.array([*items, None], object)[:-1], **more)
    errors = [error.decode() for error in found["error"]]
    return decoded(found["colorized_bytes"]), errors


def test_photos_of_several_sizes_in_one_request(session):
    images, errors = serve(session, [encoded(photo) for photo in photos()])
    assert errors == [""] * 4
    for photo, image in zip(photos(), images, strict=True):
        assert image.shape == photo.shape
        assert apart(image, small_colorizer(hints=True)(photo)) < 1.5
        assert_same_photos([image], list(session("colorize", image=photo[None])["colorized"]))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(session, format, orientation):
    exif = Image.Exif()
    exif[0x010F] = "a maker's name before the tag"
    exif[0x0112] = orientation
    content = encoded(colorful_photo(3, 24, 40), format, exif=exif, lossless=True, quality=100)
    (image,), errors = serve(session, [content])
    upright = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(content))).convert("RGB"))
    assert errors == [""] and image.shape == upright.shape
    assert apart(image, small_colorizer(hints=True)(upright)) < 2.0


def test_orientation_in_big_endian_and_after_other_segments(session):
    exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x02\x01\x0f\0\x02\0\0\0\x04abc\0\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    app1 = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    comment = b"\xff\xfe\x00\x06abcd\xff"  # and a byte of filling before the next marker
    jpeg = encoded(colorful_photo(0, 20, 30), "JPEG")
    (image,), errors = serve(session, [jpeg[:2] + comment + app1 + jpeg[2:]])
    assert errors == [""] and image.shape == (30, 20, 3)


@pytest.mark.parametrize("value", [0, 9, 77])
def test_orientations_that_make_no_sense_count_as_upright(session, value):
    exif = Image.Exif()
    exif[0x0112] = value
    (image,), _ = serve(session, [encoded(colorful_photo(0, 20, 30), "JPEG", exif=exif)])
    assert image.shape == (20, 30, 3)


def test_kinds_of_photos(session):
    photo = colorful_photo(5, 24, 40)
    cmyk = BytesIO()
    Image.fromarray(photo).convert("CMYK").save(cmyk, "JPEG")
    palette, deep = BytesIO(), BytesIO()
    Image.fromarray(photo).convert("P").save(palette, "PNG")
    Image.fromarray(photo[..., 0].astype(np.uint16) * 257).save(deep, "PNG")
    contents = [encoded(photo, "BMP"), encoded(photo, "GIF"), encoded(photo[..., 0]), encoded(photo[..., 0], "JPEG")]
    images, errors = serve(session, [*contents, cmyk.getvalue(), palette.getvalue(), deep.getvalue()])
    assert errors == [""] * 7
    assert all(image.shape == photo.shape for image in images)


def test_transparency_is_kept(session):
    alpha = np.tile(np.arange(40, dtype=np.uint8) * 6, (24, 1))
    photo = colorful_photo(5, 24, 40)
    (image, opaque), _ = serve(session, [encoded(np.dstack([photo, alpha])), encoded(photo)])
    np.testing.assert_array_equal(image[..., 3], alpha)
    assert_same_photos([image[..., :3]], [opaque])


def test_what_is_no_photo_has_an_error_and_the_others_their_colours(session):
    photo, whole = colorful_photo(1), encoded(colorful_photo(1))
    jpeg = encoded(colorful_photo(1, 60, 60), "JPEG", quality=95)
    broken = {
        b"": "empty",
        b"not a photo": "not an image",
        encoded(photo, "TIFF"): "not an image",
        whole[: len(whole) // 2]: "does not decode",
        whole[:20]: "does not decode",
        jpeg[: len(jpeg) // 2]: "does not decode",
        jpeg[:4]: "does not decode",
        encoded(photo, "WEBP")[:40]: "does not decode",
        encoded(photo, "GIF")[:30]: "does not decode",
        encoded(photo, "BMP")[:100]: "does not decode",
        encoded(colorful_photo(0, 80, 80)): "too large",
    }
    images, errors = serve(session, [whole, *broken, whole])
    for content, error, expected in zip(broken, errors[1:-1], broken.values(), strict=True):
        assert error.startswith(expected), (content[:16], error)
    assert errors[0] == errors[-1] == "" and images[1:-1] == [None] * len(broken)
    assert_same_photos([images[0], images[-1]], 2 * list(session("colorize", image=photo[None])["colorized"]))


def test_mutated_photos_never_fail_a_request(session):
    rng = np.random.default_rng(0)
    items = []
    for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        content = bytearray(encoded(colorful_photo(1, 30, 30), format))
        for _ in range(12):
            mutated = content.copy()
            for place in rng.integers(0, len(content) if rng.random() < 0.5 else 40, 4):
                mutated[place] = rng.integers(256)
            items.append(bytes(mutated[: rng.integers(8, len(mutated)) if rng.random() < 0.3 else None]))
    for start in range(0, len(items), 10):
        images, errors = serve(session, items[start : start + 10])
        assert all((image is None) == bool(error) for image, error in zip(images, errors, strict=True))


def test_headers_that_claim_too_much_are_refused_before_decoding(session):
    png = bytearray(encoded(colorful_photo(0)))
    png[16:24] = b"\x00\x01\x00\x00" * 2  # 65,536 × 65,536
    _, errors = serve(session, [bytes(png)])
    assert errors[0].startswith("too large: the photo has more than 5,000 pixels")


def test_a_request_has_a_limit_of_its_own(session):
    whole = encoded(colorful_photo(0, 60, 70))  # 4,200 pixels
    images, errors = serve(session, [*[whole] * 4, b"", whole, b"junk"])
    assert errors[:4] == [""] * 4 and errors[4].startswith("empty") and errors[6].startswith("not an image")
    assert errors[5].startswith("too much: the photos of the request up to here have more than 20,000 pixels")
    assert images[5] is None


def test_an_empty_request(session):
    found = session("serving_default", image_bytes=np.array([], object))
    assert len(found["colorized_bytes"]) == len(found["error"]) == 0


def test_pixels_grey_and_rgb_in_batches(session):
    photo = photos()[1]
    grey = np.repeat(photo[..., :1], 3, axis=-1)
    found = session("colorize", image=np.stack([photo, grey]))["colorized"]
    one_channel = session("colorize", image=photo[None, ..., :1])["colorized"]
    assert found.shape == (2, *photo.shape) and found.dtype == np.uint8
    assert_same_photos(list(one_channel), [found[1]])


def test_chroma_of_lightness(session):
    colorizer = small_colorizer(hints=True)
    L = np.random.default_rng(0).uniform(0, 100, (2, 40, 56, 1)).astype("float32")
    ab = session("predict_ab", L=L)["ab"]
    assert ab.shape == (2, 40, 56, 2) and ab.dtype == np.float32
    expected = np.asarray(ColorGraph(colorizer).predict_ab(L))
    np.testing.assert_allclose(ab, expected, atol=2e-3)


def test_vividness(session):
    photo = photos()[0][None]
    colourfulness = [
        np.ptp(session("colorize_vividness", image=photo, vividness=v)["colorized"], axis=-1).mean()
        for v in (0.0, 1.0, 2.0)
    ]
    assert colourfulness[0] < 1 and 10 < colourfulness[1] < colourfulness[2]
    images, errors = serve(session, [encoded(photos()[0])], vividness=2.0)
    assert errors == [""]
    assert_same_photos(images, list(session("colorize_vividness", image=photo, vividness=2.0)["colorized"]))


def test_hints(session):
    photo = photos()[1]
    hints = some_hints(*photo.shape[:2])
    table = hint_table([hints, []], *photo.shape[:2])
    found, plain = session("colorize_hints", image=np.stack([photo, photo]), hints=table)["colorized"]
    assert apart(found, small_colorizer(hints=True)(photo, hints=hints)) < 1.5
    assert np.abs(found.astype(int) - plain).max() > 15
    assert_same_photos([plain], list(session("colorize", image=photo[None])["colorized"]))
    none = session("colorize_hints", image=photo[None], hints=np.zeros((1, 0, 6), np.float32))
    assert_same_photos([plain], list(none["colorized"]))
    twin = session("colorize_hints_vividness", image=photo[None], hints=table[:1], vividness=0.0)["colorized"]
    assert np.ptp(twin, axis=-1).mean() < 1


@pytest.mark.parametrize(
    "rows, words",
    [
        ([[40, 5, 1, 0, 0, 1]], "must lie in the photo"),
        ([[5, -3, 1, 0, 0, 1]], "must lie in the photo"),
        ([[5, 5, -1, 0, 0, 1]], "radius of at least 0"),
        ([[5, 5, 1, np.nan, 0, 1]], "finite"),
        ([[5, 5, 1, 0, 0, 1]] * 1001, "hints for a photo"),
    ],
)
def test_hints_that_no_photo_can_have_are_refused(session, rows, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        session("colorize_hints", image=np.zeros((1, 20, 30, 3), np.uint8), hints=np.float32([rows]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be a table for each of"):
        session("colorize_hints", image=np.zeros((2, 20, 30, 3), np.uint8), hints=np.zeros((1, 1, 6), np.float32))


def test_a_network_that_takes_no_hints_has_no_signature_for_them(tmp_path):
    saved_model.save(ColorGraph(small_colorizer()), tmp_path, LIMITS)
    session = ServingSession(tmp_path)
    assert "colorize" in session.meta_graph.signature_def
    assert not any("hints" in name for name in session.meta_graph.signature_def)


@pytest.mark.parametrize(
    "signature, inputs",
    [
        ("colorize", {"image": np.zeros((1, 80, 80, 3), np.uint8)}),
        ("colorize", {"image": np.zeros((6, 60, 60, 3), np.uint8)}),
        ("colorize", {"image": np.zeros((1, 8, 8, 4), np.uint8)}),
        ("colorize", {"image": np.zeros((1, 0, 8, 3), np.uint8)}),
        ("predict_ab", {"L": np.zeros((1, 80, 80, 1), np.float32)}),
    ],
)
def test_arrays_beyond_the_limits_are_refused(session, signature, inputs):
    with pytest.raises(tf.errors.InvalidArgumentError):
        session(signature, **inputs)


def test_signatures_and_names(session):
    signatures = session.meta_graph.signature_def
    names = {
        name: (sorted(signature.inputs), sorted(signature.outputs))
        for name, signature in signatures.items()
        if not name.startswith("__")
    }
    expected = {
        "serving_default": (["image_bytes"], ["colorized_bytes", "error"]),
        "colorize": (["image"], ["colorized"]),
        "colorize_hints": (["hints", "image"], ["colorized"]),
        "predict_ab": (["L"], ["ab"]),
        "predict_ab_hints": (["L", "hints"], ["ab"]),
    }
    twins = {f"{name}_vividness": (sorted([*given, "vividness"]), out) for name, (given, out) in expected.items()}
    assert names == expected | twins


def test_no_python_in_graph_and_library(session):
    names = check_operators(session.meta_graph)
    assert "IgnoreErrorsDataset" in names and not any("Py" in name for name in names)


def test_python_in_a_graph_is_found(tmp_path):
    def python(x):
        return tf.numpy_function(lambda value: value, [x], tf.float32)

    module = tf.Module()
    module.f = tf.function(
        lambda x: {"y": tf.map_fn(python, x)}, input_signature=[tf.TensorSpec([None])], autograph=False
    )
    tf.saved_model.save(module, str(tmp_path), signatures=module.f)
    with pytest.raises(ColorizeError, match="calls Python, which no server has: PyFunc"):
        check_operators(ServingSession(tmp_path).meta_graph)


def test_warm_up_requests_run(folder, session):
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    records = list(tf.data.TFRecordDataset(str(folder / WARMUP_FILE)).as_numpy_iterator())
    ran = []
    for record in records:
        request = logs.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "small"
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        ran.append(request.model_spec.signature_name)
        assert session(ran[-1], **inputs)
    assert ran == ["serving_default", "colorize", "predict_ab", "colorize_hints"]
