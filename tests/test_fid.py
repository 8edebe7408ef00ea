"""FID and KID: closed forms, the textbook formula through scipy, batches, and the loading of feature networks."""

import hashlib
import io
import math
import tarfile
import warnings

import keras
import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from keras_colorize.errors import ColorizeError
from keras_colorize.metrics import (
    FeatureStatistics,
    ImageSet,
    feature_network,
    feature_networks,
    fid_between,
    frechet_distance,
    frozen_graph_network,
    keras_network,
    kernel_inception_distance,
    kid_between,
)


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return features.mean(axis=0), np.cov(features, rowvar=False)


# Fréchet distance


def test_frechet_distance_of_diagonal_gaussians():
    mu1, mu2 = np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 5.0])
    var1, var2 = np.array([4.0, 1.0, 9.0]), np.array([1.0, 16.0, 9.0])
    # |μ₁ − μ₂|² + Σ (σ₁ − σ₂)² = 1 + 0 + 4 + 1 + 9 + 0
    assert frechet_distance(mu1, np.diag(var1), mu2, np.diag(var2)) == pytest.approx(15, abs=1e-12)
    # a rotation of both changes nothing
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    rotated = [turn @ mu1, turn @ np.diag(var1) @ turn.T, turn @ mu2, turn @ np.diag(var2) @ turn.T]
    assert frechet_distance(*rotated) == pytest.approx(15, abs=1e-12)


def test_frechet_distance_is_the_textbook_formula():
    rng = np.random.default_rng(0)
    a = moments(rng.normal(size=(500, 40)) @ rng.normal(size=(40, 40)))
    b = moments(rng.normal(size=(400, 40)) @ rng.normal(size=(40, 40)) + 0.5)
    root = scipy.linalg.sqrtm(a[1] @ b[1])
    expected = np.square(a[0] - b[0]).sum() + np.trace(a[1] + b[1] - 2 * root.real)
    assert frechet_distance(*a, *b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(*b, *a) == pytest.approx(expected, rel=1e-6)


def test_fid_and_kid_are_those_of_a_pytorch_reference():
    """Both written out in PyTorch as its FID packages have them, on the same features, fed here in uneven batches."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    sets = [rng.gamma(2, 1, (count, 32)) @ rng.normal(size=(32, 32)) / 6 for count in (700, 600)]
    a, b = (torch.tensor(features) for features in sets)

    mean_a, mean_b, cov_a, cov_b = a.mean(0), b.mean(0), torch.cov(a.T), torch.cov(b.T)
    overlap = torch.linalg.eigvals(cov_a @ cov_b).sqrt().real.sum()
    fid = ((mean_a - mean_b) ** 2).sum() + torch.trace(cov_a) + torch.trace(cov_b) - 2 * overlap
    ours = []
    for features in sets:
        ours.append(FeatureStatistics("same"))
        for batch in np.array_split(features, [1, 40, 111, 500]):
            ours[-1].update(batch)
    with pytest.warns(UserWarning, match="biased"):
        assert fid_between(*ours).value == pytest.approx(float(fid), rel=1e-6)

    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    choice, estimates = np.random.default_rng(5), []
    for _ in range(4):
        x, y = (s[choice.choice(len(s), 50, replace=False)] for s in (a, b))
        within = sum((kernel(z, z).sum() - kernel(z, z).diagonal().sum()) / (50 * 49) for z in (x, y))
        estimates.append(float(within - 2 * kernel(x, y).mean()))
    value, _ = kernel_inception_distance(*sets, subsets=4, subset_size=50, seed=5)
    assert value == pytest.approx(np.mean(estimates), rel=1e-6)


def test_frechet_distance_of_singular_covariances():
    rng = np.random.default_rng(0)
    a, b = moments(rng.normal(size=(10, 64))), moments(rng.normal(size=(12, 64)) + 1)  # ranks 9 and 11 of 64
    assert frechet_distance(*a, *a) == pytest.approx(0, abs=1e-9)
    distance = frechet_distance(*a, *b)
    assert math.isfinite(distance) and distance == pytest.approx(frechet_distance(*b, *a), rel=1e-7)
    point = np.zeros(64), np.zeros((64, 64))  # all images alike: no variance, so nothing overlaps
    assert frechet_distance(*a, *point) == pytest.approx(np.square(a[0]).sum() + np.trace(a[1]), rel=1e-12)
    assert frechet_distance(*point, *a) == pytest.approx(np.square(a[0]).sum() + np.trace(a[1]), rel=1e-12)


def test_frechet_distance_refuses_moments_that_do_not_fit():
    with pytest.raises(ValueError, match="do not belong together"):
        frechet_distance(np.zeros(3), np.eye(3), np.zeros(2), np.eye(2))


# Streaming statistics


@pytest.mark.parametrize("size", [1, 7, 100])
def test_statistics_do_not_depend_on_batches(size):
    features = np.random.default_rng(0).normal(50, 2, (100, 8))  # far from 0, where E[x²] − μ² would lose digits
    statistics = FeatureStatistics("tiny")
    for start in range(0, 100, size):
        statistics.update(features[start : start + size])
    mean, covariance = moments(features)
    np.testing.assert_allclose(statistics.mean, mean, rtol=0, atol=1e-10)
    np.testing.assert_allclose(statistics.covariance, covariance, rtol=0, atol=1e-10)
    assert statistics.count == 100


def test_statistics_merge_save_and_load(tmp_path):
    features = np.random.default_rng(0).normal(size=(30, 5))
    whole, half, rest = (FeatureStatistics("tiny") for _ in range(3))
    whole.update(features)
    half.update(features[:11])
    rest.update(features[11:])
    half.merge(rest)
    half.merge(FeatureStatistics("tiny"))  # nothing seen, nothing added
    np.testing.assert_allclose(half.covariance, whole.covariance, rtol=0, atol=1e-12)

    whole.save(tmp_path / "truth.npz")
    loaded = FeatureStatistics.load(tmp_path / "truth.npz")
    assert (loaded.network, loaded.count, loaded.digest) == ("tiny", 30, "")
    np.testing.assert_array_equal(loaded.mean, whole.mean)
    np.testing.assert_allclose(loaded.covariance, whole.covariance, rtol=1e-15)
    whole.digest = "photos"
    whole.save(tmp_path / "truth.npz")
    assert FeatureStatistics.load(tmp_path / "truth.npz").digest == "photos"
    loaded.update(features)  # and goes on from there
    np.testing.assert_allclose(loaded.mean, features.mean(axis=0), atol=1e-12)
    assert loaded.count == 60


def test_statistics_say_what_is_wrong(tmp_path):
    statistics = FeatureStatistics("tiny")
    with pytest.raises(ColorizeError, match="no images were measured"):
        statistics.mean
    with pytest.raises(ColorizeError, match=r"\(N, D\)"):
        statistics.update(np.zeros(3))
    with pytest.raises(ColorizeError, match="not finite"):
        statistics.update(np.full((1, 3), np.nan))
    statistics.update(np.zeros((1, 3)))
    with pytest.raises(ColorizeError, match="needs at least two"):
        statistics.covariance
    with pytest.raises(ColorizeError, match="gave 4 features per image after 3"):
        statistics.update(np.zeros((1, 4)))
    with pytest.raises(ColorizeError, match="cannot be compared"):
        statistics.merge(FeatureStatistics("other"))
    with pytest.raises(ColorizeError, match="no statistics at"):
        FeatureStatistics.load(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    np.savez(tmp_path / "foreign.npz", mu=np.zeros(3), sigma=np.eye(3))
    for name in ("text.npz", "foreign.npz"):
        with pytest.raises(ColorizeError, match="measure them again"):
            FeatureStatistics.load(tmp_path / name)


# Kernel distance


def test_kid_is_the_u_statistic_written_out():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)) + 1
    kernel = lambda x, y: (x @ y / 3 + 1) ** 3  # noqa: E731
    estimates = []
    choice = np.random.default_rng(7)
    for _ in range(2):
        x, y = a[choice.choice(4, 2, replace=False)], b[choice.choice(4, 2, replace=False)]
        across = np.mean([kernel(p, q) for p in x for q in y])
        estimates.append(kernel(x[0], x[1]) + kernel(y[0], y[1]) - 2 * across)
    value, error = kernel_inception_distance(a, b, subsets=2, subset_size=2, seed=7)
    assert value == pytest.approx(np.mean(estimates), rel=1e-12)
    assert error == pytest.approx(np.std(estimates, ddof=1) * math.sqrt(2 / (4 - 2)), rel=1e-12)


def test_kid_of_one_distribution_is_zero_within_its_error():
    rng = np.random.default_rng(0)
    values, errors = [], []
    for trial in range(20):
        pair = rng.normal(size=(120, 8)), rng.normal(size=(150, 8))
        value, error = kernel_inception_distance(*pair, subsets=20, seed=trial)
        assert abs(value) < 4 * error
        values.append(value)
        errors.append(error)
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(len(values))  # unbiased
    assert min(values) < 0 < max(values)
    assert 0.8 < np.mean(errors) / np.std(values) < 4  # the error is of the right size, rather too large


def test_the_error_of_kid_is_what_repetitions_show():
    rng = np.random.default_rng(0)
    values, errors = [], []
    for trial in range(40):
        pair = rng.normal(size=(200, 8)), rng.normal(size=(200, 8)) * 1.3 + 0.3
        value, error = kernel_inception_distance(*pair, subsets=50, subset_size=100, seed=trial)
        values.append(value)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.35)


def test_kid_repeats_with_its_seed_and_refuses_what_cannot_be():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 4)), rng.normal(size=(20, 4))
    assert kernel_inception_distance(a, b, seed=3) == kernel_inception_distance(a, b, seed=3)
    assert kernel_inception_distance(a, b, seed=3) != kernel_inception_distance(a, b, seed=4)
    with pytest.raises(ColorizeError, match="subsets of 20 from sets of 30 and 20"):
        kernel_inception_distance(a, b, subset_size=20)
    with pytest.raises(ColorizeError, match="subsets of 1 from"):
        kernel_inception_distance(a[:3], b[:3])
    with pytest.raises(ColorizeError, match="2 or more"):
        kernel_inception_distance(a, b, subsets=1)


# Feature networks


def photos(count: int, seed: int = 0, side: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype="uint8")


def tiny_model(size: int | None = None) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(6, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )


def inception_like_graph(features: int = 5) -> tf.compat.v1.GraphDef:
    """A graph of the 2015 file's layout: JPEG in, its node names and operators, one photo at a time, its version."""
    graph = tf.compat.v1.GraphDef()
    graph.versions.producer = 8  # BatchNormWithGlobalNormalization was removed for graphs of version 9

    def node(name, op, *inputs, **attrs):
        new = graph.node.add(name=name, op=op, input=inputs)
        for key, value in attrs.items():
            if isinstance(value, tf.DType):
                new.attr[key].type = value.as_datatype_enum
            elif isinstance(value, bool):
                new.attr[key].b = value
            elif isinstance(value, list):
                new.attr[key].list.i.extend(value)
            elif isinstance(value, bytes):
                new.attr[key].s = value
            elif isinstance(value, float):
                new.attr[key].f = value
            else:
                new.attr[key].i = value

    def const(name, value, dtype):
        graph.node.add(name=name, op="Const")
        graph.node[-1].attr["dtype"].type = dtype.as_datatype_enum
        graph.node[-1].attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype))

    rng = np.random.default_rng(0)
    f = tf.float32
    const("DecodeJpeg/contents", b"", tf.string)
    node("DecodeJpeg", "DecodeJpeg", "DecodeJpeg/contents", channels=3)
    node("Cast", "Cast", "DecodeJpeg", SrcT=tf.uint8, DstT=f)
    const("ExpandDims/dim", 0, tf.int32)
    node("ExpandDims", "ExpandDims", "Cast", "ExpandDims/dim", T=f)
    const("ResizeBilinear/size", [19, 19], tf.int32)
    node("ResizeBilinear", "ResizeBilinear", "ExpandDims", "ResizeBilinear/size", T=f)
    const("Sub/y", 128.0, f)
    node("Sub", "Sub", "ResizeBilinear", "Sub/y", T=f)
    const("Mul/y", 1 / 128, f)
    node("Mul", "Mul", "Sub", "Mul/y", T=f)
    const("conv/conv2d_params", rng.normal(size=(3, 3, 3, features)), f)
    node("conv/Conv2D", "Conv2D", "Mul", "conv/conv2d_params", T=f, strides=[1, 1, 1, 1], padding=b"VALID")
    for name, value in {"beta": 0.1, "gamma": 1.0, "moving_mean": 0.2, "moving_variance": 1.5}.items():
        const(f"conv/batchnorm/{name}", np.full(features, value), f)
    inputs = ("moving_mean", "moving_variance", "beta", "gamma")
    node(
        "conv/batchnorm",
        "BatchNormWithGlobalNormalization",
        "conv/Conv2D",
        *(f"conv/batchnorm/{name}" for name in inputs),
        T=f,
        variance_epsilon=0.001,
        scale_after_normalization=False,
    )
    node("conv/CheckNumerics", "CheckNumerics", "conv/batchnorm", T=f, message=b"not finite")
    node("conv/control_dependency", "Identity", "conv/batchnorm", "^conv/CheckNumerics", T=f)
    node("conv", "Relu", "conv/control_dependency", T=f)
    node("pool_3", "AvgPool", "conv", T=f, ksize=[1, 17, 17, 1], strides=[1, 1, 1, 1], padding=b"VALID")
    const("pool_3/_reshape/shape", [1, features], tf.int32)  # as the original's: one photo at a time
    node("pool_3/_reshape", "Reshape", "pool_3", "pool_3/_reshape/shape", T=f, Tshape=tf.int32)
    return graph


def features_by_hand(graph: tf.compat.v1.GraphDef, rgb_u8: np.ndarray) -> np.ndarray:
    weights = next(tf.make_ndarray(n.attr["value"].tensor) for n in graph.node if n.name == "conv/conv2d_params")
    x = tf.compat.v1.image.resize_bilinear(tf.cast(rgb_u8, tf.float32), (19, 19))
    x = tf.nn.conv2d((x - 128) / 128, weights, 1, "VALID")
    x = tf.nn.relu((x - 0.2) / math.sqrt(1.5 + 0.001) + 0.1)
    return tf.reduce_mean(x, axis=(1, 2)).numpy()


def test_a_graph_of_the_2015_layout_runs_on_batches():
    graph, batch = inception_like_graph(), photos(3)
    network = frozen_graph_network(graph.SerializeToString(), label="test")
    assert network.features == 5
    features = network(batch)
    assert features.shape == (3, 5) and features.dtype == np.float32
    np.testing.assert_allclose(features, features_by_hand(graph, batch), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(network(tf.constant(batch[1:2])), features[1:2], rtol=1e-5)
    np.testing.assert_allclose(network(photos(2, side=40)), features_by_hand(graph, photos(2, side=40)), rtol=1e-4)


@pytest.mark.parametrize("found", ["archive", "graph", "fetched"])
def test_the_original_network_is_found_or_fetched_and_verified(found, tmp_path, monkeypatch):
    content = inception_like_graph().SerializeToString()
    fetched = []

    def write_archive(path):
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo("./classify_image_graph_def.pb")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

    def get_file(name, url, cache_dir, cache_subdir):
        assert found == "fetched" and url.startswith("http://download.tensorflow.org/") and url.endswith(name)
        fetched.append(name)
        path = f"{cache_dir}/{cache_subdir}/{name}"
        write_archive(path)
        return path

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "models"
    if found != "fetched":
        folder.mkdir(parents=True)
    if found == "graph":
        (folder / "classify_image_graph_def.pb").write_bytes(content)
    if found == "archive":
        write_archive(folder / "inception-2015-12-05.tgz")
    with pytest.raises(ColorizeError, match=r"has SHA-256 .* expected 009d6814"):  # ours is not the real one
        feature_network("inception-2015-12-05")
    monkeypatch.setattr(feature_networks, "INCEPTION_SHA256", hashlib.sha256(content).hexdigest())
    network = feature_network("inception-2015-12-05")
    assert network.label == "inception-2015-12-05"
    assert len(fetched) == (found == "fetched")  # once, though asked for twice
    np.testing.assert_allclose(network(photos(2)), features_by_hand(inception_like_graph(), photos(2)), rtol=1e-4)


def test_a_broken_archive_is_named(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "inception-2015-12-05.tgz").write_bytes(b"<html>not found</html>")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(ColorizeError, match=r"inception-2015-12-05.tgz' is not the archive.*delete it"):
        feature_network("inception-2015-12-05")
    with tarfile.open(tmp_path / "models" / "inception-2015-12-05.tgz", "w:gz"):
        pass  # an archive, but empty
    with pytest.raises(ColorizeError, match=r"is not the archive.*delete it"):
        feature_network("inception-2015-12-05")


def test_offline_says_which_file_is_missing_and_what_else_there_is(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise Exception("URL fetch failure: None -- [Errno -2] Name or service not known")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", offline)
    monkeypatch.setattr(keras.applications, "InceptionV3", offline)
    for name, file in {
        "inception-2015-12-05": "inception-2015-12-05.tgz",
        "keras-inception-v3": "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    }.items():
        with pytest.raises(ColorizeError) as error:
            feature_network(name)
        message = str(error.value)
        assert file in message and str(tmp_path / "models") in message and "Name or service not known" in message
        assert ".keras" in message and "\n" not in message


def test_keras_inception_is_float32_and_prepares_its_input(monkeypatch):
    def with_random_weights(**arguments):
        assert arguments == {"include_top": False, "pooling": "avg", "input_shape": (299, 299, 3)}
        assert keras.config.dtype_policy().name == "float32"
        inputs = keras.Input((299, 299, 3))
        return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))  # passes what it is given

    monkeypatch.setattr(keras.applications, "InceptionV3", with_random_weights)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = feature_network("keras-inception-v3")
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        batch = np.full((1, 16, 16, 3), [0, 51, 255], "uint8")
        np.testing.assert_allclose(network(batch), [[-1, -0.6, 1]], atol=2e-3)  # a mean over 299² in float32
    finally:
        keras.config.set_dtype_policy(before)
    assert network.label == "keras-inception-v3"


@pytest.mark.parametrize("size", [None, 16])
def test_a_keras_model_is_a_feature_network(size, tmp_path):
    model, batch = tiny_model(size), photos(3)
    network = keras_network(model, "tiny")
    resized = batch if size is None else tf.image.resize(batch, (16, 16), antialias=True)
    np.testing.assert_allclose(network(batch), model(tf.cast(resized, tf.float32)), rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "tiny.keras")
    stored = feature_network(str(tmp_path / "tiny.keras"))
    assert stored.label.startswith("tiny.keras ") and len(stored.label) == len("tiny.keras ") + 8
    np.testing.assert_allclose(stored(batch), network(batch), rtol=1e-6)


def test_a_users_frozen_graph_names_its_own_ends(tmp_path):
    weights = tf.constant(np.random.default_rng(0).normal(size=(3, 4)), tf.float32)
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.uint8, (None, 8, 8, 3), name="image")
        mean = tf.reduce_mean(tf.cast(image, tf.float32), axis=(1, 2))
        tf.identity(tf.matmul(mean, tf.constant(weights.numpy())), name="embedding")
    path = tmp_path / "mine.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    network, batch = feature_network(path), photos(2, side=8)
    np.testing.assert_allclose(network(batch), batch.mean(axis=(1, 2)) @ weights.numpy(), rtol=1e-4)
    assert network(photos(2, side=30)).shape == (2, 4)  # resized to the placeholder's 8×8
    assert network.label.startswith("mine.pb ")
    by_name = frozen_graph_network(path, "mine", output_name="embedding:0")
    np.testing.assert_array_equal(by_name(batch), network(batch))
    with pytest.raises(ColorizeError, match="no tensor 'embeding:0'; did you mean 'embedding:0'"):
        frozen_graph_network(path, "mine", output_name="embeding:0")


def test_networks_that_do_not_fit_are_refused_before_any_work(tmp_path):
    with pytest.raises(ColorizeError, match="did you mean 'inception-2015-12-05'"):
        feature_network("inception-2015")
    with pytest.raises(ColorizeError, match="there is no feature network at"):
        feature_network(tmp_path / "absent.keras")
    with pytest.raises(ColorizeError, match="there is no feature network at"):
        frozen_graph_network(tmp_path / "absent.pb", "absent")
    for name in ("text.keras", "text.pb"):
        (tmp_path / name).write_text("neither a model nor a graph")
        with pytest.raises(ColorizeError, match=name):
            feature_network(tmp_path / name)
    maps = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3)])
    with pytest.raises(ColorizeError, match="one vector per photo"):
        keras_network(maps, "maps")
    grey = keras.Sequential([keras.Input((None, None, 1)), keras.layers.GlobalAveragePooling2D()])
    with pytest.raises(ColorizeError, match=r"takes RGB \(B, H, W, 3\)"):
        keras_network(grey, "grey")
    (tmp_path / "none.pb").write_bytes(tf.compat.v1.GraphDef().SerializeToString() or b"")
    with pytest.raises(ColorizeError, match="0 placeholders and 0 outputs"):
        feature_network(tmp_path / "none.pb")
    with pytest.raises(ColorizeError, match="no tensor 'x:0'"):
        frozen_graph_network(inception_like_graph().SerializeToString(), "test", output_name="x:0")


def test_only_uint8_photos_are_measured():
    network = keras_network(tiny_model(), "tiny")
    for wrong in (photos(1).astype("float32"), photos(1)[0], photos(1)[..., :2], tf.zeros((1, 8, 8, 3))):
        with pytest.raises(ColorizeError, match="tiny: expected uint8 photos"):
            network(wrong)


# Sets of photos


def test_fid_and_kid_of_sets_carry_their_network(tmp_path):
    network = keras_network(tiny_model(), "tiny")
    truth, same, other, dark = (ImageSet(network) for _ in range(4))
    for start in range(0, 60, 25):
        truth.update(photos(60)[start : start + 25])
    same.update(photos(60))
    other.update(photos(60, seed=1))
    dark.update(photos(60, seed=2) // 4)
    assert len(truth) == 60 and truth.features.shape == (60, 6)
    np.testing.assert_allclose(truth.features, same.features, rtol=1e-5)
    with pytest.warns(UserWarning, match=r"fid \(tiny\) of 60 and 60 images is biased"):
        zero = fid_between(truth, same)
    assert zero.value == pytest.approx(0, abs=1e-6)
    with pytest.warns(UserWarning):
        near, far = fid_between(truth, other), fid_between(truth, dark)
    assert 0 < near.value < far.value
    assert near.label == "fid (tiny)" and str(far) == f"fid (tiny) {far.value:.2f}" and far.images == (60, 60)

    near, far = kid_between(truth, other, subsets=20), kid_between(truth, dark, subsets=20)
    assert abs(near.value) < 4 * near.error and far.value > 10 * far.error
    assert far.label == "kid (tiny)" and "±" in str(far)

    truth.statistics.save(tmp_path / "truth.npz")
    with pytest.warns(UserWarning):
        stored = fid_between(FeatureStatistics.load(tmp_path / "truth.npz"), dark)
        assert stored.value == pytest.approx(fid_between(truth, dark).value, rel=1e-9)
    other_network = ImageSet(keras_network(tiny_model(), "another"))
    for function in (fid_between, kid_between):
        with pytest.raises(ColorizeError, match="'tiny' cannot be compared with features of 'another'"):
            function(truth, other_network)


def test_features_that_are_not_kept_serve_fid_only():
    network = keras_network(tiny_model(), "tiny")
    kept, dropped = ImageSet(network), ImageSet(network, keep_features=False)
    for image_set in (kept, dropped):
        image_set.update(photos(20))
    np.testing.assert_array_equal(dropped.statistics.covariance, kept.statistics.covariance)
    assert len(dropped) == 20
    with pytest.raises(ValueError, match="keep_features=True"):
        kid_between(kept, dropped)


def test_fid_of_enough_images_is_quiet():
    statistics = FeatureStatistics("tiny")
    statistics.update(np.random.default_rng(0).normal(size=(2048, 4)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fid_between(statistics, statistics).value == pytest.approx(0, abs=1e-12)
