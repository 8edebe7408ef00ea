"""Per-image metrics against scikit-image, closed forms and figures worked out by hand."""

import math
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from keras_colorize import metrics
from keras_colorize.errors import ColorizeError
from keras_colorize.metrics import Means


def pictures(count: int, height: int = 40, width: int = 33, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth uint8 pictures with flat patches, and noisy copies of them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    phase = rng.uniform(0, 6, (count, 1, 1, 3))
    truth = 127 + 120 * np.sin(x[..., None] / 7 + phase) * np.cos(y[..., None] / 5 + phase)
    truth[:, :15, :15] = 255  # flat and bright: where a difference of squares cancels worst
    noisy = truth + rng.normal(0, 12, truth.shape)
    noisy[:, :14, :14] = 254
    return tuple(np.clip(p, 0, 255).round().astype("uint8") for p in (truth, noisy))


def chroma(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return tuple(rng.uniform(-80, 80, (count, 12, 10, 2)).astype("float32") for _ in range(2))


def values(function, *args) -> np.ndarray:
    return ops.convert_to_numpy(function(*args))


ALL = {
    "psnr": (metrics.psnr, pictures),
    "ssim": (metrics.ssim, pictures),
    "ssim_channels": (metrics.ssim_channels, pictures),
    "colorfulness": (metrics.colorfulness, lambda count: pictures(count)[:1]),
    "colorfulness_abs": (metrics.colorfulness_abs, lambda count: pictures(count)[:1]),
    "ab_mae": (metrics.ab_mae, chroma),
    "ab_psnr": (metrics.ab_psnr, chroma),
    "pixel_accuracy": (lambda a, b: metrics.pixel_accuracy(a, b, 0.1), chroma),
    "ab_entropy": (metrics.ab_entropy, lambda count: chroma(count)[:1]),
}


# Agreement with scikit-image


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_psnr_is_scikit_images(dtype):
    truth, noisy = pictures(3)
    expected = [peak_signal_noise_ratio(t, n, data_range=255) for t, n in zip(truth, noisy, strict=True)]
    np.testing.assert_allclose(values(metrics.psnr, truth.astype(dtype), noisy.astype(dtype)), expected, atol=1e-5)


@pytest.mark.parametrize("size", [(40, 33), (11, 11), (11, 64)])
def test_ssim_is_scikit_images_in_every_channel(size):
    truth, noisy = pictures(3, *size)
    expected = [
        [
            structural_similarity(
                t[..., c], n[..., c], gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
            )
            for c in range(3)
        ]
        for t, n in zip(truth, noisy, strict=True)
    ]
    np.testing.assert_allclose(values(metrics.ssim_channels, truth, noisy), expected, atol=1e-5)
    whole = [
        structural_similarity(
            t, n, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1
        )
        for t, n in zip(truth, noisy, strict=True)
    ]
    np.testing.assert_allclose(values(metrics.ssim, truth, noisy), whole, atol=1e-5)


def hasler_susstrunk(rg: np.ndarray, yb: np.ndarray) -> float:
    return math.hypot(rg.std(), yb.std()) + 0.3 * math.hypot(rg.mean(), yb.mean())


@pytest.mark.parametrize("jit", [False, True])
def test_megapixels_lose_no_digits(jit):
    """Sums over 10⁶ pixels in one float32 would: the references are computed in float64."""
    rng = np.random.default_rng(0)
    truth = np.clip(rng.normal(200, 30, (1, 900, 1000, 3)), 0, 255).astype("uint8")
    noisy = np.clip(truth + rng.normal(0, 12, truth.shape), 0, 255).astype("uint8")
    ab = rng.normal(0, 30, (1, 900, 1000, 2)).astype("float32")
    off = ab + rng.normal(2, 9, ab.shape).astype("float32")
    red, green, blue = np.moveaxis(truth.astype("float64"), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    error = np.abs(ab.astype("float64") - off)
    corner = truth[:, :, :64], noisy[:, :, :64]
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    for metric, batch, expected in (
        (metrics.psnr, (truth, noisy), peak_signal_noise_ratio(truth, noisy, data_range=255)),
        (metrics.ssim, corner, structural_similarity(corner[0][0], corner[1][0], channel_axis=-1, **window)),
        (metrics.colorfulness, (truth,), hasler_susstrunk(rg, yb)),
        (metrics.colorfulness_abs, (truth,), hasler_susstrunk(abs(rg), abs(yb))),
        (metrics.ab_mae, (ab, off), error.mean()),
        (metrics.ab_psnr, (ab, off), 10 * math.log10(220**2 / np.mean(error**2))),
        (lambda a, b: metrics.pixel_accuracy(a, b, 0.05), (ab, off), (error <= 11).mean()),
    ):
        if jit:
            metric = pytest.importorskip("tensorflow").function(metric, jit_compile=True)
        assert values(metric, *batch)[0] == pytest.approx(expected, rel=2e-6)


# Closed forms


def test_identical_images():
    truth, _ = pictures(2)
    np.testing.assert_array_equal(values(metrics.psnr, truth, truth), [100, 100])
    np.testing.assert_allclose(values(metrics.ssim, truth, truth), [1, 1], atol=1e-6)
    ab, _ = chroma(2)
    np.testing.assert_array_equal(values(metrics.ab_psnr, ab, ab), [100, 100])
    np.testing.assert_array_equal(values(metrics.ab_mae, ab, ab), [0, 0])
    np.testing.assert_array_equal(values(metrics.pixel_accuracy, ab, ab, 0.02), [1, 1])


def test_psnr_of_a_constant_difference():
    black = np.zeros((1, 4, 4, 3), "uint8")
    assert values(metrics.psnr, black, black + 255)[0] == pytest.approx(0, abs=1e-6)
    assert values(metrics.psnr, black, black + 5)[0] == pytest.approx(20 * math.log10(255 / 5), abs=1e-5)
    # uint8 would wrap around: 0 − 5 must be −5, not 251
    assert values(metrics.psnr, black + 5, black)[0] == pytest.approx(20 * math.log10(255 / 5), abs=1e-5)


def test_chroma_metrics_of_constant_differences():
    truth = np.zeros((2, 4, 4, 2), "float32")
    prediction = truth.copy()
    prediction[0, ..., 0] = 10  # a off by 10, b right
    prediction[1] = [-22, 22]
    np.testing.assert_allclose(values(metrics.ab_mae, truth, prediction), [5, 22])
    expected = [20 * math.log10(220 / math.sqrt(50)), 20]
    np.testing.assert_allclose(values(metrics.ab_psnr, truth, prediction), expected, rtol=1e-6)


def test_pixel_accuracy_by_construction():
    truth = np.full((1, 10, 10, 2), 20.0, "float32")
    prediction = truth.copy()
    prediction[0, :5, :, 0] += 4.3  # 50 of 200 values: within 2 % of 220 = 4.4
    prediction[0, 5:, :, 0] -= 4.5  # 50 values: beyond 2 %, within 5 % = 11
    prediction[0, :2, :, 1] += 11.1  # 20 values: beyond 5 %
    assert values(metrics.pixel_accuracy, truth, prediction, 0.02)[0] == pytest.approx(130 / 200)
    assert values(metrics.pixel_accuracy, truth, prediction, 0.05)[0] == pytest.approx(180 / 200)
    prediction = truth + 11.0
    assert values(metrics.pixel_accuracy, truth, prediction, 0.05)[0] == 1  # ε itself is within ε


def test_colorfulness_by_hand():
    image = np.zeros((2, 2, 2, 3), "uint8")
    image[0] = [200, 100, 50]  # rg = 100 and yb = 100 everywhere: σ = 0, M = 0.3·√(100² + 100²)
    image[1, 0] = [255, 0, 0]  # half red: rg = 255, yb = 127.5
    image[1, 1] = [0, 255, 0]  # half green: rg = −255, yb = 127.5; so σ_rg = 255, μ_rg = 0, σ_yb = 0, μ_yb = 127.5
    np.testing.assert_allclose(values(metrics.colorfulness, image), [30 * math.sqrt(2), 255 + 0.3 * 127.5], rtol=1e-6)
    # |rg| = 255 on both halves: nothing varies any more
    expected = [30 * math.sqrt(2), 0.3 * math.hypot(255, 127.5)]
    np.testing.assert_allclose(values(metrics.colorfulness_abs, image), expected, rtol=1e-6)


def test_colorfulness_takes_population_deviations():
    image = np.array([[[[9, 1, 5], [1, 1, 1], [1, 1, 1]]]], "uint8")  # rg = 8, 0, 0; yb = 0, 0, 0
    population = math.sqrt(8**2 * 2 / 9)
    np.testing.assert_allclose(values(metrics.colorfulness, image), [population + 0.3 * 8 / 3], rtol=1e-6)


def test_grey_has_no_colorfulness():
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1)), 3, axis=-1).astype("uint8")
    np.testing.assert_array_equal(values(metrics.colorfulness, grey), [0, 0])
    np.testing.assert_array_equal(values(metrics.colorfulness_abs, grey), [0, 0])


# Colour bins


def test_ab_histogram_is_numpys():
    ab, _ = chroma(3)
    ab[0, 0, 0], ab[0, 0, 1] = [-130, 114.9], [200, -115]  # beyond the outermost bins, and at an edge
    counts = values(metrics.ab_histogram, ab)
    assert counts.shape == (3, 23, 23) and counts.dtype == np.int32
    inside = np.clip(ab, metrics.AB_EDGES[0], metrics.AB_EDGES[-1] - 1e-3).reshape(3, -1, 2)
    edges = [metrics.AB_EDGES, metrics.AB_EDGES]
    np.testing.assert_array_equal(counts, [np.histogram2d(*photo.T, edges)[0] for photo in inside])
    np.testing.assert_array_equal(counts.sum(axis=(1, 2)), 12 * 10)


def test_entropy_by_construction_and_scipys():
    neutral = np.random.default_rng(0).normal(0, 0.01, (1, 8, 8, 2)).astype("float32")  # rounding noise of a grey photo
    np.testing.assert_array_equal(values(metrics.ab_entropy, neutral), [0])
    four = neutral.copy()
    four[0, :4, :, 0] += 20
    four[0, :, :4, 1] -= 40
    np.testing.assert_allclose(values(metrics.ab_entropy, four), [2], rtol=1e-6)  # four bins, equally full
    ab, _ = chroma(3)
    counts = values(metrics.ab_histogram, ab)
    expected = [stats.entropy(photo.ravel(), base=2) for photo in counts]
    np.testing.assert_allclose(values(metrics.ab_entropy, ab), expected, rtol=1e-5)
    # of a set: of the histograms' sum, however large
    total = counts.astype("int64").sum(axis=0) * 10**7
    assert values(metrics.entropy, total) == pytest.approx(stats.entropy(total.ravel(), base=2), rel=1e-5)
    assert values(metrics.entropy, np.zeros((2, 2), "int64")) == 0


# Batches, dtypes, compilation


@pytest.mark.parametrize("name", ALL)
def test_one_value_per_image_however_batches_are_cut(name):
    metric, make = ALL[name]
    batch = make(5)
    whole = values(metric, *batch)
    assert len(whole) == 5 and whole.dtype == np.float32
    parts = [values(metric, *(x[cut] for x in batch)) for cut in (slice(0, 1), slice(1, 4), slice(4, 5))]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_the_dtype_policy_changes_nothing(name):
    metric, make = ALL[name]
    batch = make(2)
    expected = values(metric, *batch)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        np.testing.assert_array_equal(values(metric, *batch), expected)
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compiles with TensorFlow")
@pytest.mark.parametrize("name", ALL)
def test_graph_and_xla_agree_with_eager(name):
    import tensorflow as tf

    metric, make = ALL[name]
    batch = make(2)
    expected = values(metric, *batch)
    unknown = [tf.TensorSpec([None, None, None, x.shape[-1]], x.dtype) for x in batch]
    np.testing.assert_allclose(tf.function(metric, input_signature=unknown)(*batch), expected, rtol=1e-5)
    np.testing.assert_allclose(tf.function(metric, jit_compile=True)(*batch), expected, rtol=1e-5)


def test_wrong_shapes_are_refused():
    image = np.zeros((1, 16, 16, 3), "uint8")
    with pytest.raises(ColorizeError, match="must be equal"):
        metrics.psnr(image, image[:, :8])
    with pytest.raises(ColorizeError, match=r"expected a batch of images \(B, H, W, 3\), got shape \(16, 16, 3\)"):
        metrics.colorfulness(image[0])
    with pytest.raises(ColorizeError, match=r"\(B, H, W, 2\)"):
        metrics.ab_mae(image, image)
    with pytest.raises(ColorizeError, match=r"\(B, H, W, 2\), got shape \(1, 16, 16, 3\)"):
        metrics.ab_entropy(image)
    with pytest.raises(ColorizeError, match="10×16, the window needs 11×11"):
        metrics.ssim(image[:, :10], image[:, :10])


# Means


def test_means_do_not_depend_on_batches():
    rows = np.random.default_rng(0).normal(20, 3, 100).astype("float32")
    results = []
    for size in (1, 7, 100):
        means = Means()
        for start in range(0, 100, size):
            means.update({"psnr": rows[start : start + size], "ssim": 2 * rows[start : start + size]})
        assert len(means) == 100
        results.append(means.result())
    assert results[0] == results[1] == results[2]  # to the last bit
    assert results[0]["psnr"] == pytest.approx(rows.astype("float64").mean(), rel=1e-15)
    assert list(results[0]) == ["psnr", "ssim"]


def test_means_take_tensors_and_are_nan_before_the_first():
    means = Means()
    assert math.isnan(means.mean("psnr")) and len(means) == 0
    means.update({"psnr": keras.ops.convert_to_tensor([3.0, 1.0])})
    means.update({"psnr": [2.0, 1.0]})
    assert means.rows == {"psnr": [3.0, 1.0, 2.0, 1.0]}
    assert means.mean("psnr") == 1.75


def test_means_refuse_values_that_do_not_belong_together():
    means = Means()
    with pytest.raises(ValueError, match="one value per image"):
        means.update({"psnr": 3.0})
    with pytest.raises(ValueError, match="one value per image"):
        means.update({"psnr": [1.0, 2.0], "ssim": [1.0]})
    means.update({"psnr": [1.0]})
    with pytest.raises(ValueError, match="the batches before had"):
        means.update({"ssim": [1.0]})


def test_the_package_imports_nothing_heavy_before_it_is_used():
    code = (
        "import sys; import keras_colorize.metrics as m; from keras_colorize.metrics import Means; "
        "assert not {'keras', 'tensorflow'} & set(sys.modules); assert 'psnr' in dir(m)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
