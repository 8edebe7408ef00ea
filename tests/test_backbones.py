"""The networks with parts trained by others: blocks, frozen parts, the reports' counts, loading without a network."""

import socket
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.errors import ColorizeError
from keras_colorize.models import backbones, build
from keras_colorize.models.layers import ICNR, Frozen, Fusion, NearestUp, PixelShuffle, Resize
from tests.networks import gradients, random_inputs

SMALL = (2, 8, 12)  # batch, height, width


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def count(variables) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def values(network: keras.layers.Layer) -> list[np.ndarray]:
    return [variable.numpy() for variable in network.variables]


def assert_same(network: keras.layers.Layer, before: list[np.ndarray]) -> None:
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)


def lightness(size: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (2, size, size, 1)).astype("float32")


# Blocks


def test_pixel_shuffle_of_one_pixel():
    x = np.arange(8, dtype="float32").reshape(1, 1, 1, 8)
    y = np.array(PixelShuffle(2)(x))
    assert y.shape == (1, 2, 2, 2)
    np.testing.assert_array_equal(y[0, :, :, 0], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(y[0, :, :, 1], [[4, 5], [6, 7]])


def test_pixel_shuffle_places_every_value():
    batch, height, width, channels, r = 2, 3, 4, 5, 3
    x = np.random.default_rng(0).normal(size=(batch, height, width, channels * r * r)).astype("float32")
    y = np.array(PixelShuffle(r)(x))
    assert y.shape == PixelShuffle(r).compute_output_shape(x.shape) == (batch, height * r, width * r, channels)
    for i in range(r):
        for j in range(r):
            np.testing.assert_array_equal(y[:, i::r, j::r], x[..., i * r + j :: r * r])


def test_pixel_shuffle_is_pytorchs():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 12)).astype("float32")
    theirs = torch.nn.functional.pixel_shuffle(torch.from_numpy(x.transpose(0, 3, 1, 2)), 2).numpy()
    np.testing.assert_array_equal(PixelShuffle(2)(x), theirs.transpose(0, 2, 3, 1))


def test_pixel_shuffle_refuses_channels_that_do_not_divide():
    with pytest.raises(ValueError, match="multiple of 4, got 6"):
        PixelShuffle(2)(np.zeros((1, 2, 2, 6), "float32"))


def test_icnr_with_pixel_shuffle_starts_as_nearest_neighbour():
    convolution = keras.layers.Conv2D(12, 1, kernel_initializer=ICNR())
    x = np.random.default_rng(0).normal(size=(*SMALL, 16)).astype("float32")
    y = np.array(PixelShuffle(2)(convolution(x)))
    np.testing.assert_array_equal(y, y[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2))
    assert len(np.unique(y[0, 0, 0])) == 3, "the output channels are not copies of each other"


def test_icnr_spreads_as_he_normal():
    kernel = np.array(ICNR(seed=0)((3, 3, 64, 256)))
    groups = kernel.reshape(3, 3, 64, 64, 4)
    assert (groups == groups[..., :1]).all()
    assert groups[..., 0].std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)


def test_nearest_up_is_upsampling():
    x = np.random.default_rng(0).normal(size=(*SMALL, 3)).astype("float32")
    np.testing.assert_array_equal(NearestUp()(x), keras.layers.UpSampling2D()(x))


@pytest.mark.parametrize(
    ("block", "shapes"),
    [
        (PixelShuffle(2), (None, 6, 10, 2)),
        (NearestUp(), (None, 6, 10, 8)),
        (Resize(7, 9), (None, 7, 9, 8)),
    ],
)
def test_blocks_keep_static_sizes_inside_a_graph(block, shapes):
    """TFLite refuses a convolution behind a block that forgets them."""
    inner = tf.function(block, input_signature=[tf.TensorSpec((None, 3, 5, 8))]).get_concrete_function()
    assert inner.structured_outputs.shape.as_list() == list(shapes)
    free = tf.function(block, input_signature=[tf.TensorSpec((None, None, None, 8))])
    assert free(np.zeros((2, 3, 5, 8), "float32")).shape[1:] == shapes[1:]


def test_fusion_repeats_the_vector():
    features = np.random.default_rng(0).normal(size=(*SMALL, 3)).astype("float32")
    vector = np.random.default_rng(1).normal(size=(2, 5)).astype("float32")
    fused = np.array(Fusion()([features, vector]))
    np.testing.assert_array_equal(fused[..., :3], features)
    assert fused.shape[-1] == 8 and (fused[..., 3:] == vector[:, None, None]).all()


def small_norm_network() -> keras.Model:
    """Something with a normalization and a dropout: both behave otherwise in training."""
    x = inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, keras.layers.Dropout(0.5)(x))


def test_resize_has_no_training_mode():
    x = np.random.default_rng(0).normal(size=(*SMALL, 3)).astype("float32")
    np.testing.assert_array_equal(Resize(5, 7)(x), tf.image.resize(x, (5, 7)))
    network = keras.Sequential([Resize(5, 7), small_norm_network()])
    network.build(x.shape)
    before = values(network)
    np.testing.assert_array_equal(network(x), network(x, training=False))
    assert_same(network, before)


@pytest.mark.parametrize("reloaded", [False, True])
def test_frozen_stays_frozen(reloaded, tmp_path):
    inner = keras.Input((None, None, 3))
    network = keras.Model(inner, small_norm_network()(inner))
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(Frozen(network, name="frozen")(inputs)))
    if reloaded:
        model.save(tmp_path / "model.keras")
        model = keras.models.load_model(tmp_path / "model.keras")
    model.trainable = True
    assert [variable.path.split("/")[0] for variable in model.trainable_variables] == ["head", "head"]
    assert model.get_layer("frozen").trainable is False

    x = tf.constant(np.random.default_rng(0).normal(3, 2, (*SMALL, 3)), "float32")
    before = values(model)
    with tf.GradientTape() as tape:
        tape.watch(x)
        trained = model(x, training=True)
    assert np.abs(tape.gradient(trained, x)).max() > 0, "gradients reach the input"
    np.testing.assert_array_equal(trained, model(x, training=False))
    assert_same(model, before)


# ResNet-18


def torchvision_resnet18(x: np.ndarray, encoder: keras.Model) -> list[tf.Tensor]:
    """torchvision's `resnet18` written out from its definition, with the weights of `encoder`."""

    def conv(x, name, stride=1, padding=1):
        pads = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
        return tf.nn.conv2d(x, encoder.get_layer(name).kernel, stride, pads)

    def bn(x, name):
        layer = encoder.get_layer(name)
        return tf.nn.batch_normalization(x, layer.moving_mean, layer.moving_variance, layer.beta, layer.gamma, 1e-5)

    x = tf.nn.relu(bn(conv(x, "conv1_conv", 2, 3), "conv1_bn"))
    maps = [x]
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=-np.inf)
    x = tf.nn.max_pool2d(x, 3, 2, "VALID")
    for stack in range(4):
        for block in range(2):
            name = f"stack{stack}_block{block}"
            stride = 2 if stack > 0 and block == 0 else 1
            shortcut = bn(conv(x, f"{name}_0_conv", stride, 0), f"{name}_0_bn") if stride == 2 else x
            x = tf.nn.relu(bn(conv(x, f"{name}_1_conv", stride), f"{name}_1_bn"))
            x = tf.nn.relu(bn(conv(x, f"{name}_2_conv"), f"{name}_2_bn") + shortcut)
        maps.append(x)
    return maps


def test_resnet18_is_torchvisions():
    encoder = backbones.resnet18("random", 3)
    rng = np.random.default_rng(0)
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
            assert (layer.epsilon, layer.momentum) == (1e-5, 0.9)
    assert count(encoder.trainable_variables) == 11_176_512, "torchvision's resnet18 without its classifier"
    x = rng.normal(size=(2, 64, 96, 3)).astype("float32")
    for ours, theirs in zip(encoder(x, training=False), torchvision_resnet18(x, encoder), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize("channels", [2, 4])
def test_resnet18_refuses_other_channels(channels):
    with pytest.raises(ColorizeError, match=rf"1 or 3 channels, not {channels}"):
        build("resnet_unet", image_size=64, condition_channels=channels, backbone_weights="random")


def test_unknown_backbone_weights():
    with pytest.raises(ColorizeError, match=r"'pretraind'; did you mean 'pretrained'"):
        build("resnet_unet", image_size=64, backbone_weights="pretraind")


def test_resnet_unet_has_the_parameters_of_report_b():
    model = build("resnet_unet", image_size=256, backbone_weights="random")
    assert count(model.trainable_variables) == 31_099_672
    assert model.count_params() == 31_111_320
    rows = [
        tuple(model.get_layer(f"up_{number}_{part}").output.shape[-1] for part in parts)
        for parts in [("shuffle_conv", "shuffle", "skip_bn", "concat", "conv_1", "conv_2")]
        for number in (1, 2, 3, 4)
    ]
    assert rows == [
        (1024, 256, 256, 512, 512, 512),
        (1024, 256, 128, 384, 384, 384),
        (768, 192, 64, 256, 256, 256),
        (512, 128, 64, 192, 96, 96),
    ]
    sizes = [model.get_layer(f"up_{number}_conv_2").output.shape[1] for number in (1, 2, 3, 4)]
    assert sizes == [16, 32, 64, 128]
    assert model.get_layer("head_shuffle").output.shape == (None, 256, 256, 96)
    assert model.get_layer("head_concat").output.shape == (None, 256, 256, 97)
    assert model.get_layer("prediction").activation is keras.activations.linear


def test_resnet_unet_takes_any_multiple_of_32():
    model = build("resnet_unet", image_size=None, backbone_weights="random")
    for height, width in ((32, 96), (64, 32)):
        assert model(np.zeros((1, height, width, 1), "float32"), training=False).shape == (1, height, width, 2)


def test_resnet_unet_trains_its_encoder_and_normalizes_as_pytorch():
    model = build("resnet_unet", image_size=32, backbone_weights="random")
    found = gradients(model, random_inputs(model, size=32))
    # 20 convolutions without bias and 20 normalizations; 5 normalizations and 18 convolutions with bias.
    assert len(found) == (20 + 20 * 2) + (5 * 2 + 18 * 2)
    assert all(np.abs(gradient).max() > 0 for gradient in found.values())
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert [(norm.epsilon, norm.momentum) for norm in norms] == [(1e-5, 0.9)] * 5


# Koalarization and the Inception GAN's generator


@pytest.fixture(scope="module")
def koalarization():
    """Built once: Inception-ResNet-v2 has 780 layers."""
    keras.utils.set_random_seed(0)
    return build("koalarization", image_size=None, backbone_weights="random")


@pytest.fixture(scope="module")
def without_inception():
    keras.utils.set_random_seed(0)
    return build("koalarization", image_size=64, inception=False, segmentation=True, backbone_weights="random")


def test_koalarization_has_the_table_of_report_e():
    model = build("koalarization", image_size=256, inception=False)
    table = [(layer.name, *layer.output.shape[1:3:2], layer.output.shape[-1]) for layer in model.layers[1:]]
    assert [(size, channels) for name, size, channels in table if name.startswith("encoder")] == [
        (128, 64),
        (128, 128),
        (64, 128),
        (64, 256),
        (32, 256),
        (32, 512),
        (32, 512),
        (32, 256),
    ]
    assert [(size, channels) for _, size, channels in table[8:]] == [
        (32, 256),
        (32, 128),
        (64, 128),
        (64, 64),
        (64, 64),
        (128, 64),
        (128, 32),
        (128, 2),
        (256, 2),
    ]


def test_koalarization_fuses_1257_channels(koalarization):
    assert koalarization.get_layer("inception").output.shape == (None, 1001)
    assert koalarization.get_layer("fusion").output.shape[-1] == 1257
    assert koalarization.get_layer("fusion_conv").count_params() == 1257 * 256 + 256
    assert koalarization.get_layer("inception").count_params() == 55_873_736, "as keras.io lists Inception-ResNet-v2"
    assert count(koalarization.trainable_variables) == 6_574_050


def test_koalarization_takes_any_multiple_of_8(koalarization):
    prediction = koalarization(np.zeros((1, 16, 40, 1), "float32"), training=False)
    assert prediction.shape == (1, 16, 40, 2)


def test_inception_sees_its_own_scaling(koalarization):
    """L_unit is what inception_resnet_v2.preprocess_input makes of L on the scale 0–255; the background logit is 0."""
    L = np.linspace(0, 100, 64 * 64, dtype="float32").reshape(1, 64, 64, 1)
    levels = np.repeat(L * 2.55, 3, axis=-1)
    scaled = keras.applications.inception_resnet_v2.preprocess_input(levels.copy())
    np.testing.assert_allclose(scaled, np.repeat(L / 50 - 1, 3, axis=-1), atol=1e-6)
    logits = np.array(koalarization.get_layer("inception")(L / 50 - 1))
    inception = koalarization.get_layer("inception").network.get_layer("inception_resnet_v2")
    expected = inception(tf.image.resize(scaled, (299, 299)), training=False)
    assert logits[0, 0] == 0
    np.testing.assert_allclose(logits[:, 1:], expected, atol=1e-5)


@pytest.mark.slow
def test_inception_is_frozen(koalarization):
    extractor = koalarization.get_layer("inception")
    before = values(extractor)
    L_unit = lightness(16)
    np.testing.assert_array_equal(koalarization(L_unit, training=True), koalarization(L_unit, training=False))
    found = gradients(koalarization, L_unit)
    assert len(found) == 28 and not any("inception" in path for path in found)
    assert all(np.abs(gradient).max() > 0 for gradient in found.values())
    assert_same(extractor, before)


def test_segmentation_adds_24_channels(without_inception):
    model = without_inception
    assert model.get_layer("segmenter").output.shape == (None, 64, 64, 21)
    assert model.get_layer("L_and_classes").output.shape == (None, 64, 64, 24)
    assert model.get_layer("classes_conv").output.shape == (None, 64, 64, 24)
    assert model.get_layer("encoder_conv_1").count_params() == 24 * 9 * 64 + 64
    assert model.get_layer("segmenter").count_params() == 39_190_656 + 256 * 21, "KerasHub's count, and the 21 classes"
    assert model.get_layer("fusion_conv").count_params() == 256 * 256 + 256


def test_segmenter_is_frozen_and_gives_probabilities(without_inception):
    segmenter = without_inception.get_layer("segmenter")
    before = values(segmenter)
    L_unit = lightness()
    maps = np.array(segmenter(L_unit))
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=1e-5)
    trained = without_inception(L_unit, training=True)
    np.testing.assert_array_equal(trained, without_inception(L_unit, training=False))
    found = gradients(without_inception, L_unit)
    assert len(found) == 30 and not any("segmenter" in path or "deeplab" in path for path in found)
    assert_same(segmenter, before)


def test_channels_and_sizes_that_do_not_fit():
    with pytest.raises(ColorizeError, match=r"1 channel, L, not 3"):
        build("koalarization", image_size=64, condition_channels=3)
    with pytest.raises(ColorizeError, match=r"image_size 72.*multiple of 32.*64 and 96"):
        build("koalarization", image_size=72, segmentation=True)
    with pytest.raises(ColorizeError, match=r"free sizes with segmentation.*multiple of 32"):
        build("koalarization", image_size=None, segmentation=True)


@pytest.mark.slow
def test_inception_gan_in_bfloat16_survives_a_file(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build("koalarization", image_size=64, segmentation=True, backbone_weights="random")
        assert count(model.trainable_variables) == 6_592_506
        prediction = model(lightness(), training=False)
        assert prediction.dtype == tf.float32 and np.isfinite(prediction).all()
        assert model.get_layer("encoder_conv_1").compute_dtype == "bfloat16"
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(again(lightness(), training=False), prediction)
        assert count(again.trainable_variables) == 6_592_506
    finally:
        keras.config.set_dtype_policy(before)


# Pretrained weights, without a network


@pytest.fixture
def offline(tmp_path, monkeypatch) -> Path:
    """No name resolves, and both libraries' caches are empty folders below the one returned."""

    def refuse(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    # Keras reads KERAS_HOME once, on import.
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "keras"))
    (tmp_path / "keras").mkdir()
    return tmp_path


def put_in_cache(task, preset: str, cls: type, cache: Path) -> None:
    """Save a KerasHub object where KerasHub looks for the preset of that name."""
    handle = cls.presets[preset]["kaggle_handle"].removeprefix("kaggle://")
    folder = cache / "models" / handle
    task.save_to_preset(folder)
    marks = folder.parent / ".complete" / folder.name
    marks.mkdir(parents=True)
    for file in folder.iterdir():
        (marks / f"{file.name}.complete").touch()


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (lambda: backbones.resnet18("pretrained", 1), "resnet_18_imagenet"),
        (lambda: backbones.deeplab_maps("pretrained"), "deeplab_v3_plus_resnet50_pascalvoc"),
        (lambda: backbones.inception_logits("pretrained"), backbones.INCEPTION_FILE),
        (lambda: backbones.vgg_features("pretrained"), backbones.VGG_FILE),
        (lambda: build("resnet_unet", image_size=64), "resnet_18_imagenet"),
        (lambda: build("koalarization", image_size=64), backbones.INCEPTION_FILE),
    ],
)
def test_offline_says_which_file_and_which_argument(load, name, offline):
    with pytest.raises(ColorizeError) as caught:
        load()
    message = str(caught.value)
    assert name in message and "set backbone_weights to 'random'" in message and "Name or service not known" in message
    assert "\n" not in message and caught.value.action == "random_backbone"


def test_a_broken_file_counts_as_missing(offline):
    models = offline / "keras" / "models"
    models.mkdir()
    (models / backbones.VGG_FILE).write_bytes(b"half a download")
    with pytest.raises(ColorizeError, match="set backbone_weights to 'random'"):
        backbones.vgg_features("pretrained")


def test_defects_keep_their_traceback():
    with pytest.raises(TypeError, match="ours"), backbones._weights_of("a network", "a file"):
        raise TypeError("ours")
    assert socket.getdefaulttimeout() is None


def test_pretrained_resnet18_comes_from_the_cache_and_sums_its_first_convolution(offline):
    import keras_hub

    source = keras_hub.models.ResNetBackbone(
        [64], [7], [64, 128, 256, 512], [2, 2, 2, 2], [1, 2, 2, 2], "basic_block", image_shape=(None, None, 3)
    )
    put_in_cache(source, backbones.RESNET18_PRESET, keras_hub.models.ResNetBackbone, offline / "kagglehub")
    grey = lightness(32)
    expected = source(np.repeat(grey, 3, axis=-1), training=False)
    in_color = backbones.resnet18("pretrained", 3)(np.repeat(grey, 3, axis=-1), training=False)
    np.testing.assert_array_equal(in_color[-1], expected)
    in_grey = backbones.resnet18("pretrained", 1)(grey, training=False)
    np.testing.assert_allclose(in_grey[-1], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_pretrained_deeplab_comes_from_the_cache_with_its_scaling(offline):
    import keras_hub

    scale, offset = [1 / 58.0, 1 / 57.0, 1 / 59.0], [-2.1, -2.0, -1.8]
    encoder = keras_hub.models.ResNetBackbone([64], [7], [64, 64, 64, 64], [1] * 4, [1, 2, 2, 2], "basic_block")
    deeplab = keras_hub.models.DeepLabV3Backbone(encoder, "P5", 8, [6, 12, 18], low_level_feature_key="P2")
    converter = keras_hub.layers.DeepLabV3ImageConverter(image_size=(512, 512), scale=scale, offset=offset)
    segmenter = keras_hub.models.DeepLabV3ImageSegmenter(
        deeplab, 21, preprocessor=keras_hub.models.DeepLabV3ImageSegmenterPreprocessor(converter)
    )
    task = keras_hub.models.DeepLabV3ImageSegmenter
    put_in_cache(segmenter, backbones.DEEPLAB_PRESET, task, offline / "kagglehub")
    L_unit = lightness()
    network = keras.Model(segmenter.input, segmenter.output)
    logits = network((L_unit + 1) * 127.5 * np.array(scale) + np.array(offset), training=False)
    maps = backbones.deeplab_maps("pretrained")
    assert not maps.trainable_variables
    np.testing.assert_allclose(maps(L_unit, training=False), tf.nn.softmax(logits), atol=1e-4)


def test_pretrained_vgg_comes_from_the_cache(offline, monkeypatch):
    """Keras' own loading, but for the hash of a file that only ImageNet's weights have."""
    from keras.src.legacy.saving import legacy_h5_format

    source = keras.applications.VGG16(include_top=False, weights=None)
    models = offline / "keras" / "models"
    models.mkdir()
    with h5py.File(models / backbones.VGG_FILE, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, source)
    monkeypatch.setattr("keras.src.utils.file_utils.validate_file", lambda *args, **kwargs: True)
    features = backbones.vgg_features("pretrained")
    rgb = np.random.default_rng(0).uniform(size=(2, 16, 16, 3)).astype("float32")
    # "caffe" preprocessing written out: BGR on the scale 0–255 less ImageNet's mean.
    levels = rgb[..., ::-1] * 255 - np.array([103.939, 116.779, 123.68], "float32")
    block3 = keras.Model(source.input, source.get_layer("block3_conv3").output)
    found = np.array(features(rgb))
    assert found.shape == (2, 4, 4, 256) and found.dtype == np.float32
    np.testing.assert_allclose(found, np.array(block3(levels)) / 12.75, rtol=1e-4, atol=1e-4)


def test_vgg_features_are_frozen_and_pass_gradients():
    features = backbones.vgg_features("random")
    assert not features.trainable_variables
    rgb = tf.random.uniform((1, 16, 16, 3))
    with tf.GradientTape() as tape:
        tape.watch(rgb)
        loss = tf.reduce_mean(tf.square(features(rgb)))
    assert np.abs(tape.gradient(loss, rgb)).max() > 0
