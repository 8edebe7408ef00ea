"""sRGB ↔ CIELAB against scikit-image, against closed forms, and against itself in every way it can be compiled."""

import importlib.util
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage.color import lab2rgb, rgb2lab

from keras_colorize.color import lab as color
from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.standards import XYZ_FROM_RGB
from keras_colorize.errors import ColorizeError
from tests.gamut import in_gamut

# Largest difference between two ways of running the same code. In Lab units: cube roots near 1 come out up to 4 units
# in the last place (6e-8) apart, and a* is 500 times their difference. In RGB: far outside the gamut linear RGB
# is what is left of terms of size 10 (last place 1e-6 or less), and the curve is 12.92 times steeper near black.
LAB_ROUNDING = 2e-4
RGB_ROUNDING = 2e-5

# sRGB's corners, and the grey of L = 50, in Lab (D65, 2°) as commonly published, from matrices of other roundings.
KNOWN = {
    (0.0, 0.0, 0.0): (0.0, 0.0, 0.0),
    (1.0, 1.0, 1.0): (100.0, 0.0, 0.0),
    (1.0, 0.0, 0.0): (53.24, 80.09, 67.20),
    (0.0, 1.0, 0.0): (87.74, -86.18, 83.18),
    (0.0, 0.0, 1.0): (32.30, 79.20, -107.86),
    (1.0, 1.0, 0.0): (97.14, -21.55, 94.48),
    (0.0, 1.0, 1.0): (91.11, -48.09, -14.13),
    (1.0, 0.0, 1.0): (60.32, 98.23, -60.82),
    (0.466327, 0.466327, 0.466327): (50.0, 0.0, 0.0),
}


@pytest.fixture(scope="module")
def colors_u8() -> np.ndarray:
    """(N, 3) uint8: a grid that has the cube's corners, all greys, all levels of each primary, random colours."""
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    levels = np.arange(256, dtype=np.uint8)[:, None]
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    random = np.random.default_rng(0).integers(0, 256, (50_000, 3), dtype=np.uint8)
    return np.concatenate([grid, levels * np.ones(3, np.uint8), *(levels * np.eye(3, dtype=np.uint8)[:, None]), random])


@pytest.fixture(scope="module")
def rgb(colors_u8: np.ndarray) -> np.ndarray:
    return (colors_u8 / 255.0).astype("float32")


@pytest.fixture(scope="module")
def lab_box() -> np.ndarray:
    """(N, 3) float32: Lab far beyond the gamut, as a network may predict it."""
    L, ab = np.linspace(0, 100, 41), np.linspace(-128, 128, 65)
    return np.stack(np.meshgrid(L, ab, ab, indexing="ij"), axis=-1).reshape(-1, 3).astype("float32")


def reference_rgb(lab: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it warns of negative Z
        return lab2rgb(lab.astype("float64"))


def largest(difference: np.ndarray) -> float:
    assert np.all(np.isfinite(difference))
    return float(np.abs(difference).max())


# Accuracy


def test_rgb_to_lab_is_scikit_image_within_a_thousandth(rgb: np.ndarray) -> None:
    assert largest(np.asarray(color.rgb_to_lab(rgb)) - rgb2lab(rgb.astype("float64"))) < 1e-3


def test_lab_to_rgb_is_scikit_image_in_and_out_of_gamut(lab_box: np.ndarray) -> None:
    assert largest(np.asarray(color.lab_to_rgb(lab_box)) - reference_rgb(lab_box)) < 1e-4


def test_round_trip(rgb: np.ndarray, colors_u8: np.ndarray) -> None:
    back = np.asarray(color.lab_to_rgb(color.rgb_to_lab(rgb)))
    assert largest(back - rgb) < 1e-4
    np.testing.assert_array_equal(np.asarray(color.rgb_to_u8(back)), colors_u8)


def test_the_whole_cube() -> None:
    """All 16.7 million 8-bit colours, a plane of constant red at a time."""
    levels = np.arange(256, dtype=np.uint8)
    convert = tf.function(lambda u: color.rgb_to_lab(color.rgb_from_u8(u)), jit_compile=True)
    restore = tf.function(color.lab_to_rgb, jit_compile=True)
    for red in range(256):
        plane_u8 = np.stack(np.meshgrid(levels[red : red + 1], levels, levels, indexing="ij"), axis=-1)
        lab = convert(tf.constant(plane_u8))
        assert largest(lab.numpy() - rgb2lab(plane_u8)) < 1e-3
        rgb = restore(lab)
        assert largest(rgb.numpy() - plane_u8 / 255.0) < 1e-4
        np.testing.assert_array_equal(np.asarray(color.rgb_to_u8(rgb)), plane_u8)


@pytest.mark.parametrize(("rgb", "lab"), KNOWN.items())
def test_known_colors(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    np.testing.assert_allclose(np.asarray(color.rgb_to_lab(np.array(rgb))), lab, atol=0.015)


def test_greys_are_neutral() -> None:
    grey = np.repeat(np.linspace(0, 1, 256)[:, None], 3, axis=1)
    assert largest(np.asarray(color.rgb_to_lab(grey))[:, 1:]) < 6e-3  # the matrix's white is not exactly D65


def test_transfer_curve() -> None:
    encoded = np.array([0.0, 0.04045, 0.5, 1.0])
    linear = np.array([0.0, 0.04045 / 12.92, (0.555 / 1.055) ** 2.4, 1.0])
    np.testing.assert_allclose(np.asarray(color.rgb_to_linear(encoded)), linear, atol=1e-6)
    assert float(color.rgb_to_linear(np.array(-0.1))) == pytest.approx(-0.1 / 12.92)


def test_tensorflow_io_agrees(rgb: np.ndarray, lab_box: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its native library wants another TensorFlow; its colour functions need none
        oracle = pytest.importorskip("tensorflow_io").experimental.color
    assert largest(np.asarray(color.rgb_to_lab(rgb)) - oracle.rgb_to_lab(rgb[None])[0].numpy()) < 1e-3
    lab = color.rgb_to_lab(rgb)
    assert largest(np.asarray(color.lab_to_rgb(lab)) - oracle.lab_to_rgb(lab[None])[0].numpy()) < 1e-4


# uint8


def test_u8_helpers_are_exact() -> None:
    levels = np.arange(256, dtype=np.uint8)
    unit = np.asarray(color.rgb_from_u8(levels))
    np.testing.assert_array_equal(unit, levels.astype("float32") / np.float32(255))
    np.testing.assert_array_equal(np.asarray(color.rgb_to_u8(unit)), levels)


def test_rgb_to_u8_rounds_to_the_nearest_level_and_clips() -> None:
    levels = np.arange(256)
    for offset in (-0.49, 0.49):
        np.testing.assert_array_equal(np.asarray(color.rgb_to_u8((levels + offset) / 255)), levels)
    np.testing.assert_array_equal(np.asarray(color.rgb_to_u8([-3.0, 1.004, 7.0])), [0, 255, 255])


# Wild values


def test_wild_lab_is_finite_and_clipped() -> None:
    wild = np.array([1e38, -1e38, 1e4, -1e4, 300.0, -300.0, 0.0, np.inf, -np.inf], "float32")
    lab = np.stack(np.meshgrid(wild, wild, wild, indexing="ij"), axis=-1)
    for jit in (False, True):
        convert = tf.function(color.lab_to_rgb, jit_compile=jit)
        rgb = convert(lab).numpy()
        assert rgb.min() == 0.0 and rgb.max() == 1.0
        assert np.all(np.isfinite(convert(lab, clip=False).numpy()))


def test_nan_is_not_hidden() -> None:
    assert np.all(np.isnan(np.asarray(color.lab_to_rgb([np.nan, 0.0, 0.0]))))
    assert np.any(np.isnan(np.asarray(color.rgb_to_lab([np.nan, 0.0, 0.0]))))


# Gradients


def slope(function: Callable, x: np.ndarray, jit: bool = False) -> np.ndarray:
    """Gradient of the sum of what `function` returns."""

    @tf.function(jit_compile=jit)
    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(function(x))
        return tape.gradient(total, x)

    return gradient(tf.constant(x, "float32")).numpy()


EDGES = [0.0, -0.0, 1.0, 0.04045, 0.0031308, 1e-38, 1e-45, -0.05, 1.05, 0.5]


@pytest.mark.parametrize("jit", [False, True])
def test_gradients_are_finite_everywhere(jit: bool, rgb: np.ndarray, lab_box: np.ndarray) -> None:
    edges = np.stack(np.meshgrid(EDGES, EDGES, EDGES, indexing="ij"), axis=-1).reshape(-1, 3)
    for function in (color.rgb_to_lab, color.rgb_to_linear):
        assert np.all(np.isfinite(slope(function, np.concatenate([edges, rgb[:8000]]), jit)))
    wild = np.array([[0.0, 0, 0], [8.0, 0, 0], [100, 0, 0], [1e38, -1e38, 1e38], [0, 0, 1e4], [5, -128, 128]])
    lab = np.concatenate([wild, lab_box[::7], np.asarray(color.rgb_to_lab(edges))])
    for clip in (True, False):
        assert np.all(np.isfinite(slope(lambda lab, clip=clip: color.lab_to_rgb(lab, clip=clip), lab, jit)))


def test_gradients_at_black_are_the_straight_segments() -> None:
    # L = 24389/27 · Y there, and Y = sum of (row · rgb) / 12.92, whose weights sum to 1.
    at_black = slope(lambda rgb: color.rgb_to_lab(rgb)[..., 0], np.zeros(3))
    np.testing.assert_allclose(at_black, 24389 / 27 / 12.92 * np.array(XYZ_FROM_RGB[1]), rtol=1e-5)
    grey = slope(lambda L: color.lab_to_rgb(tf.stack([L, 0.0, 0.0]), clip=False)[1], np.array(0.0))
    assert grey == pytest.approx(12.92 * 27 / 24389, rel=1e-4)


def test_gradients_are_those_of_the_curves(rgb: np.ndarray) -> None:
    x = np.linspace(0.05, 1, 50)
    np.testing.assert_allclose(slope(color.rgb_to_linear, x), 2.4 / 1.055 * ((x + 0.055) / 1.055) ** 1.4, rtol=1e-5)
    at, step = rgb[:200].astype("float64"), 1e-4
    away = np.all(np.abs(at - 0.04045) > 0.01, axis=-1) & np.all(at > 0.05, axis=-1)
    central = (rgb2lab(at[away] + step) - rgb2lab(at[away] - step)) / (2 * step)
    along_grey = slope(lambda rgb: color.rgb_to_lab(rgb)[..., 0], at[away]).sum(axis=-1)
    np.testing.assert_allclose(along_grey, central[:, 0], rtol=1e-3)


def test_a_clipped_color_has_no_gradient_and_an_unclipped_one_has() -> None:
    too_red = np.array([90.0, 120.0, 0.0])
    assert not slope(lambda lab: color.lab_to_rgb(lab)[..., 0], too_red).any()
    assert slope(lambda lab: color.lab_to_rgb(lab, clip=False)[..., 0], too_red).all()


# Precision and compilation


@pytest.fixture
def policy() -> Iterator[Callable[[str], None]]:
    before, floatx = keras.config.dtype_policy(), keras.config.floatx()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)
    keras.config.set_floatx(floatx)


@pytest.mark.parametrize("name", ["mixed_bfloat16", "mixed_float16", "float16", "bfloat16", "float64"])
def test_the_dtype_policy_changes_nothing(name: str, policy: Callable[[str], None], rgb: np.ndarray) -> None:
    lab, back = color.rgb_to_lab(rgb), color.lab_to_rgb(color.rgb_to_lab(rgb))
    policy(name)
    if not name.startswith("mixed"):
        keras.config.set_floatx(name)
    for now, before in ((color.rgb_to_lab(rgb), lab), (color.lab_to_rgb(lab), back)):
        assert keras.backend.standardize_dtype(now.dtype) == "float32"
        np.testing.assert_array_equal(np.asarray(now), np.asarray(before))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_any_float_in_float32_out(dtype: str, rgb: np.ndarray) -> None:
    low = tf.cast(rgb, dtype)
    lab = color.rgb_to_lab(low)
    assert lab.dtype == tf.float32
    assert largest(lab.numpy() - rgb2lab(low.numpy().astype("float64"))) < 1e-3  # the input is rounded, nothing else
    for function in (color.lab_to_rgb, color.rgb_to_linear):
        assert function(low).dtype == tf.float32
    assert color.rgb_to_u8(low).dtype == tf.uint8


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_compiled_is_eager(jit: bool, rgb: np.ndarray, lab_box: np.ndarray) -> None:
    to_lab, to_rgb = (tf.function(f, jit_compile=jit) for f in (color.rgb_to_lab, color.lab_to_rgb))
    assert largest(to_lab(rgb).numpy() - np.asarray(color.rgb_to_lab(rgb))) < LAB_ROUNDING
    assert largest(to_rgb(lab_box).numpy() - np.asarray(color.lab_to_rgb(lab_box))) < RGB_ROUNDING


def test_autograph_takes_the_source_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    @tf.function
    def there_and_back(rgb_u8: tf.Tensor) -> tf.Tensor:  # a `:=` anywhere below would make AutoGraph give up and say so
        return color.rgb_to_u8(color.lab_to_rgb(color.rgb_to_lab(color.rgb_from_u8(rgb_u8))))

    there_and_back(np.zeros((1, 3), "uint8"))
    assert "AutoGraph" not in caplog.text


# Shapes and mistakes


@pytest.mark.parametrize("shape", [(3,), (5, 4, 3), (2, 5, 4, 3), (2, 3, 5, 4, 3), (0, 5, 4, 3)])
def test_any_batch_shape(shape: tuple[int, ...]) -> None:
    rgb = np.random.default_rng(1).random(shape, "float32")
    lab = color.rgb_to_lab(rgb)
    assert lab.shape == shape
    np.testing.assert_allclose(lab, np.asarray(color.rgb_to_lab(rgb.reshape(-1, 3))).reshape(shape), atol=LAB_ROUNDING)
    np.testing.assert_allclose(color.lab_to_rgb(lab), rgb, atol=1e-4)


def test_unknown_sizes_in_a_graph() -> None:
    convert = tf.function(color.rgb_to_lab, input_signature=[tf.TensorSpec([None, None, None, None])])
    assert convert(np.zeros((2, 4, 5, 3), "float32")).shape == (2, 4, 5, 3)


def test_in_a_functional_model() -> None:
    photo = keras.Input((None, None, 3), dtype="uint8")
    model = keras.Model(photo, color.rgb_to_u8(color.lab_to_rgb(color.rgb_to_lab(color.rgb_from_u8(photo)))))
    photos = np.random.default_rng(2).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(model(photos), photos)


# Gamut


def linear_of(lab: np.ndarray) -> np.ndarray:
    return np.asarray(color.rgb_to_linear(color.lab_to_rgb(lab, clip=False)))


def test_clip_chroma_is_the_edge_of_the_gamut() -> None:
    rng = np.random.default_rng(5)
    hue, chroma = rng.uniform(-np.pi, np.pi, 3000), rng.uniform(0, 160, 3000)
    # Below L 92: above it, towards yellow, a ray may leave the gamut and enter it again.
    lab = np.stack([rng.uniform(0, 92, 3000), chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1).astype("float32")
    inside, largest = np.ones(3000, bool), np.zeros(3000)
    for share in np.linspace(0, 1, 401):
        linear = linear_of(lab * np.array([1, share, share], "float32"))
        inside &= np.all((linear > -1e-5) & (linear < 1 + 1e-4), axis=-1)
        largest[inside] = share
    clipped = np.asarray(clip_chroma(lab))
    np.testing.assert_array_equal(clipped[:, 0], lab[:, 0])
    assert np.all(in_gamut(clipped))
    share = np.linalg.norm(clipped[:, 1:], axis=1) / np.linalg.norm(lab[:, 1:], axis=1)
    assert np.abs((share - largest) * chroma).max() < 160 / 400 + 160 / 1024 + 0.05
    turned = np.arctan2(clipped[:, 2], clipped[:, 1]) - hue
    assert np.abs(np.sin(turned[share > 0])).max() < 1e-5, "the hue is kept"


def test_clip_chroma_leaves_what_srgb_shows() -> None:
    lab = np.asarray(color.rgb_to_lab(color.rgb_from_u8(np.random.default_rng(6).integers(0, 256, (50_000, 3), "u1"))))
    corners = np.asarray(color.rgb_to_lab(np.array([*np.ndindex(2, 2, 2)], "float32")))
    for kept in (lab, corners):
        np.testing.assert_array_equal(clip_chroma(kept), kept)


def test_clip_chroma_of_no_colours() -> None:
    lab = np.array([[0, 50, 50], [100, 50, 50], [120, 1, 1], [-5, 1, 1], [50, np.inf, 0], [50, 1e9, 1e9]], "float32")
    clipped = np.asarray(clip_chroma(lab))
    assert np.isfinite(clipped).all()
    assert np.all(clipped[:4, 1:] == 0), "black, white and beyond have none"
    assert np.isnan(np.asarray(clip_chroma(np.array([50, np.nan, 0], "float32")))[1]), "NaN stays NaN"


@pytest.mark.parametrize("jit", [False, True])
def test_clip_chroma_compiled(jit: bool) -> None:
    lab = np.random.default_rng(7).uniform([0, -120, -120], [100, 120, 120], (2000, 3)).astype("float32")
    compiled = tf.function(clip_chroma, jit_compile=jit, autograph=False)(lab)
    assert np.abs(compiled - clip_chroma(lab)).max() < 0.3, "a step of the bisection at most"
    assert np.mean(np.abs(compiled - clip_chroma(lab))) < 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: color.rgb_to_lab(np.zeros((4, 3), "uint8")), "rgb_to_lab expects floats, got uint8: use rgb_from_u8"),
        (lambda: color.lab_to_rgb([50, 0, 0]), "lab_to_rgb expects floats, got int64"),
        (lambda: color.rgb_to_lab(np.zeros((3, 8, 8))), r"rgb_to_lab expects shape \(\.\.\., 3\), got \(3, 8, 8\)"),
        (lambda: color.lab_to_rgb(np.array(1.0)), r"expects shape \(\.\.\., 3\), got \(\)"),
        (lambda: clip_chroma(np.zeros((4, 4))), r"clip_chroma expects shape \(\.\.\., 3\), got \(4, 4\)"),
        (lambda: color.rgb_from_u8(np.zeros(3)), "rgb_from_u8 expects uint8, got float64"),
        (lambda: color.rgb_to_u8(np.zeros(3, "uint8")), "rgb_to_u8 expects floats, got uint8"),
    ],
)
def test_mistakes_are_named(call: Callable, message: str) -> None:
    with pytest.raises(ColorizeError, match=message):
        call()


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_on_the_jax_backend() -> None:
    code = (
        "import jax, numpy as np; from skimage.color import rgb2lab; from keras_colorize.color import lab as color\n"
        "rgb = np.random.default_rng(0).random((1000, 3)); lab = jax.jit(color.rgb_to_lab)(rgb)\n"
        "assert np.abs(lab - rgb2lab(rgb)).max() < 1e-3\n"
        "assert np.abs(color.lab_to_rgb(lab) - rgb).max() < 1e-4\n"
        "assert np.isfinite(jax.grad(lambda x: color.rgb_to_lab(x).sum())(jax.numpy.zeros(3))).all()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "KERAS_BACKEND": "jax"}, timeout=120)
