"""Every registered network, and the published shapes and parameter counts of the reports' own."""

import typing
from typing import Literal

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_colorize.errors import ColorizeError
from keras_colorize.models import build, names, registry
from keras_colorize.models.networks import build_discriminator, build_generator
from keras_colorize.recipes import Recipe
from tests.networks import SMALL_ARGS, build_small, gradients, random_inputs

EVERY_NETWORK = [(kind, name) for kind in ("generator", "discriminator") for name in names(kind)]
GENERATORS = names("generator")

EIGHT = [64, 128, 256, 512, 512, 512, 512, 512]
GAN_LAB = {
    "filters": EIGHT,
    "dropout_downs": [1, 2, 3],
    "dropout_ups": [1, 2, 3],
    "up_activation": "leaky_relu",
}
PIX2PIX = {
    "filters": EIGHT,
    "activation_first": True,
    "innermost_bn": False,
    "dropout_ups": [2, 3, 4],
    "init": "normal",
    "batch_norm": "torch",
}
THIN = [8, 16, 24, 32, 32, 32, 32]


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture
def mixed_bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


def trainable(model: keras.Model) -> int:
    """Parameters as PyTorch counts them: without BN's moving statistics."""
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def layers_with_weights(model: keras.Model, *kinds: type) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def convolution_counts(model: keras.Model) -> list[int]:
    return [
        layer.count_params() for layer in layers_with_weights(model, keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    ]


def table(model: keras.Model) -> list[tuple]:
    """One row per layer with weights or a change of shape: name, output shape without batch, parameters."""
    return [(layer.name, tuple(layer.output.shape[1:]), layer.count_params()) for layer in model.layers[1:]]


# The registry


@pytest.fixture
def builder(monkeypatch):
    """Registers a builder under the name "own" for a test."""

    def register(function):
        monkeypatch.setitem(registry._BUILDERS["generator"], "own", function)

    return register


def test_a_builder_without_annotations_takes_any_values(builder):
    builder(lambda width, size=(3, 3): (width, size))
    assert build("own", width="4", size=[5, 5]) == ("4", [5, 5])
    with pytest.raises(ColorizeError, match=r"has no argument 'widht'; did you mean 'width'\? \(known: width, size\)"):
        build("own", widht=4)


def test_values_are_compared_with_the_annotations_that_can_be_checked(builder):
    def own(
        width: typing.Optional[int] = None,  # noqa: UP045
        sides: list[float] = (),
        size: tuple[int, int] = (3, 3),
        what: typing.Any = None,
        mode: "Literal['a', 'b']" = "a",
    ) -> "NetworkForTypeCheckers":  # noqa: F821
        return width, sides, size, what, mode

    builder(own)
    assert build("own", width="4") == ("4", (), (3, 3), None, "a"), "names that do not exist leave all unchecked"
    own.__annotations__["return"] = object
    assert build("own", width=4, sides=[1, 2.5], size=[1, 2], what=object) == (4, [1, 2.5], [1, 2], object, "a")
    for values, wanted in (({"width": "4"}, "Optional"), ({"sides": ["1"]}, "list"), ({"mode": "c"}, "Literal")):
        with pytest.raises(ColorizeError, match=f"cannot take {next(iter(values))} = .*: expected .*{wanted}"):
            build("own", **values)


# Every registered network


@pytest.mark.parametrize("name", GENERATORS)
def test_generator_keeps_the_contract(name):
    model = build_small(name)
    (condition,) = model.inputs
    side, _, channels = model.output.shape[1:]
    # The classes of `vivid` are at a quarter of the photo's size, everything else is at its own.
    assert condition.name == "condition" and condition.shape[1:3] == (
        (4 * side,) * 2 if name == "vivid" else (side,) * 2
    )
    assert model.layers[-1].name == "prediction"
    prediction = model(random_inputs(model), training=False)
    assert prediction.shape == (2, side, side, channels) and prediction.dtype == tf.float32
    assert np.isfinite(prediction).all()


@pytest.mark.parametrize("name", GENERATORS)
def test_generator_takes_other_channels(name):
    model = build_small(name, condition_channels=1, target_channels=3)
    assert model.input.shape[-1] == 1 and model.output.shape[-1] == 3


@pytest.mark.parametrize("name", names("discriminator"))
def test_discriminator_keeps_the_contract(name):
    model = build_small(name, kind="discriminator", condition_channels=1, target_channels=3)
    assert [(tensor.name, tensor.shape[-1]) for tensor in model.inputs] == [("condition", 1), ("target", 3)]
    logits = model(random_inputs(model), training=False)
    assert len(logits.shape) == 4 and logits.shape[-1] == 1 and logits.dtype == tf.float32


@pytest.mark.parametrize(("kind", "name"), EVERY_NETWORK)
def test_every_trainable_variable_learns(kind, name):
    model = build_small(name, kind)
    found = gradients(model, random_inputs(model))
    assert found
    for path, gradient in found.items():
        assert gradient is not None, f"{path} has no gradient"
        assert np.isfinite(gradient).all(), f"{path} has a gradient that is not finite"


@pytest.mark.parametrize(("kind", "name"), EVERY_NETWORK)
def test_bfloat16_inside_float32_out(kind, name, mixed_bfloat16):
    model = build_small(name, kind)
    output = model(random_inputs(model), training=False)
    assert output.dtype == tf.float32 and np.isfinite(output).all()
    assert model.output.dtype == "float32"
    convolutions = layers_with_weights(model, keras.layers.Conv2D)
    assert convolutions[0].compute_dtype == "bfloat16"
    assert all(variable.dtype == "float32" for variable in model.trainable_variables)


@pytest.mark.parametrize(("kind", "name"), EVERY_NETWORK)
def test_weights_survive_a_file(kind, name, tmp_path):
    model = build_small(name, kind)
    inputs = random_inputs(model)
    model.save_weights(tmp_path / "network.weights.h5")
    other = build_small(name, kind)
    assert not np.array_equal(model(inputs, training=False), other(inputs, training=False))
    other.load_weights(tmp_path / "network.weights.h5")
    np.testing.assert_array_equal(model(inputs, training=False), other(inputs, training=False))


@pytest.mark.parametrize(("kind", "name"), EVERY_NETWORK)
def test_a_size_that_does_not_fit_names_sizes_that_do(kind, name):
    with pytest.raises(ColorizeError, match=r"image_size 97.* nearest are (\d+) and (\d+)") as caught:
        build_small(name, kind, image_size=97)
    words = str(caught.value).rstrip(".").split()
    for size in (int(words[-3]), int(words[-1])):
        assert abs(size - 97) <= 32
        build_small(name, kind, image_size=size)


@pytest.mark.parametrize(("image_size", "side"), [("recipe", 32), (64, 64), (None, None)])
def test_a_recipes_networks_take_its_own_size_unless_told_otherwise(image_size, side):
    recipe = Recipe.load("unet_skip", ["data.image_size=32", "generator.args.filters=[8,8,8,8,8]"])
    given = {} if image_size == "recipe" else {"image_size": image_size}
    assert build_generator(recipe, **given).input.shape == (None, side, side, 1)
    discriminator = build_discriminator(recipe, **given)
    assert [tensor.shape[1] for tensor in discriminator.inputs] == [side, side]


# U-Net of reports A, B and D


@pytest.mark.parametrize("target_channels", [2, 3])
def test_gan_lab_and_gan_rgb_have_the_weights_of_report_a(target_channels):
    model = build("unet", image_size=256, target_channels=target_channels, **GAN_LAB)
    downs = [1_024, 131_072, 524_288, 2_097_152, *[4_194_304] * 4]
    ups = [4_194_304, *[8_388_608] * 3, 4_194_304, 1_048_576, 262_144]
    assert convolution_counts(model) == [*downs, *ups, 64 * 2 * 16 * target_channels + target_channels]
    assert target_channels == 3 or convolution_counts(model)[-1] == 4_098
    norms = layers_with_weights(model, keras.layers.BatchNormalization)
    assert [layer.gamma.shape[0] for layer in norms] == [128, 256, *[512] * 5, *[512] * 4, 256, 128, 64]
    assert [layer.name for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [
        *(f"down_{number}_dropout" for number in (1, 2, 3)),
        *(f"up_{number}_dropout" for number in (1, 2, 3)),
    ]
    assert model.get_layer("down_8_activation").output.shape == (None, 1, 1, 512)
    assert model.output.shape == (None, 256, 256, target_channels)
    assert not layers_with_weights(model, keras.layers.ReLU)


def test_pix2pix_has_the_parameters_of_report_b():
    model = build("unet", image_size=256, **PIX2PIX)
    assert trainable(model) == 54_409_858
    norms = {layer.name for layer in layers_with_weights(model, keras.layers.BatchNormalization)}
    assert norms == {f"down_{n}_bn" for n in range(2, 8)} | {f"up_{n}_bn" for n in range(1, 8)}
    dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [(layer.name, layer.rate, layer.output.shape[1:]) for layer in dropouts] == [
        ("up_2_dropout", 0.5, (4, 4, 512)),
        ("up_3_dropout", 0.5, (8, 8, 512)),
        ("up_4_dropout", 0.5, (16, 16, 512)),
    ]


@pytest.mark.parametrize(
    ("first", "down", "up", "head"),
    [
        (
            False,
            ["down_2_conv", "down_2_bn", "down_2_dropout", "down_2_activation"],
            ["up_1_conv", "up_1_bn", "up_1_dropout", "up_1_activation", "up_1_concat"],
            ["head_conv", "prediction"],
        ),
        (
            True,
            ["down_2_activation", "down_2_conv", "down_2_bn", "down_2_dropout"],
            ["up_1_activation", "up_1_conv", "up_1_bn", "up_1_dropout", "up_1_concat"],
            ["head_activation", "head_conv", "prediction"],
        ),
    ],
)
def test_order_of_activation_and_convolution(first, down, up, head):
    model = build("unet", image_size=32, filters=THIN, activation_first=first, dropout_downs=[2], dropout_ups=[1])
    order = [layer.name for layer in model.layers]
    for part in (down, up, head):
        start = order.index(part[0])
        assert order[start : start + len(part)] == part
    assert ("down_1_activation" in order) is not first


def test_unet_skip_and_noskip_at_the_size_of_report_d():
    with_skips = build("unet", image_size=128, target_channels=3, init="normal")
    assert with_skips.get_layer("down_7_activation").output.shape == (None, 1, 1, 512)
    assert [layer.filters for layer in layers_with_weights(with_skips, keras.layers.Conv2DTranspose)] == [
        *[512] * 3,
        *[256, 128, 64, 3],
    ]
    assert with_skips.output.shape == (None, 128, 128, 3)
    concats = [layer for layer in with_skips.layers if isinstance(layer, keras.layers.Concatenate)]
    assert [layer.output.shape[1:] for layer in concats] == [
        (2, 2, 1024),
        (4, 4, 1024),
        (8, 8, 1024),
        (16, 16, 512),
        (32, 32, 256),
        (64, 64, 128),
    ]
    without = build("unet", image_size=128, target_channels=3, init="normal", skips=False)
    assert not [layer for layer in without.layers if isinstance(layer, keras.layers.Concatenate)]
    # Each up but the first has half the input channels that it has with skips.
    halves = 16 * (512 * 512 * 2 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    assert with_skips.count_params() - without.count_params() == halves


@pytest.mark.parametrize(("size", "downs"), [(32, 5), (64, 6), (96, 5), (128, 7), (160, 5), (192, 6), (256, 7)])
def test_depth_follows_the_size(size, downs):
    model = build("unet", image_size=size, filters=THIN)
    convolutions = layers_with_weights(model, keras.layers.Conv2D)
    assert [layer.filters for layer in convolutions if layer.name.startswith("down")] == THIN[:downs]
    assert model.get_layer(f"down_{downs}_conv").output.shape[1] == size // 2**downs
    assert model.output.shape == (None, size, size, 2)


def test_shrunk_pix2pix_keeps_its_rules_at_the_innermost():
    model = build("unet", image_size=64, **{**PIX2PIX, "filters": [8, 16, 24, 32, 32, 32, 32, 32]})
    order = [layer.name for layer in model.layers]
    assert "down_6_conv" in order and "down_6_bn" not in order and "down_5_bn" in order
    assert [name for name in order if "dropout" in name] == ["up_2_dropout", "up_3_dropout", "up_4_dropout"]


def test_free_sizes_have_full_depth():
    model = build("unet", image_size=None, filters=THIN)
    assert model.get_layer("down_7_conv") and model.output.shape == (None, None, None, 2)
    assert model(np.zeros((1, 128, 256, 1), "float32")).shape == (1, 128, 256, 2)


def test_strided_convolutions_pad_as_pytorch_does():
    """Kernel 4, stride 2, padding 1, worked out by hand: both directions."""
    model = build("unet", image_size=32, filters=[1, 1, 1, 1, 1])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 6)).astype("float32")
    down, up = model.get_layer("down_1_conv"), model.get_layer("up_1_conv")
    kernel = np.asarray(down.kernel)[:, :, 0, 0]
    padded = np.pad(x, 1)
    expected = [[(padded[2 * i : 2 * i + 4, 2 * j : 2 * j + 4] * kernel).sum() for j in range(3)] for i in range(3)]
    np.testing.assert_allclose(down(x[None, :, :, None])[0, :, :, 0], expected, atol=1e-6)

    kernel = np.asarray(up.kernel)[:, :, 0, 0]
    spread = np.zeros((14, 14))
    for i in range(6):
        for j in range(6):
            spread[2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += x[i, j] * kernel
    np.testing.assert_allclose(up(x[None, :, :, None])[0, :, :, 0], spread[1:-1, 1:-1], atol=1e-6)


def test_normal_start_and_pytorch_constants():
    model = build("unet", image_size=64, **PIX2PIX)
    kernels = {layer.name: np.asarray(layer.kernel) for layer in model.layers if hasattr(layer, "kernel")}
    for kernel in kernels.values():
        spread = 4 * 0.02 / kernel.size**0.5
        assert abs(kernel.mean()) < spread and abs(kernel.std() - 0.02) < spread
    # One initializer object used twice would start two layers of one shape alike.
    assert not np.array_equal(kernels["down_5_conv"], kernels["down_6_conv"])
    for layer in layers_with_weights(model, keras.layers.BatchNormalization):
        assert (layer.epsilon, layer.momentum) == (1e-5, 0.9)
        gamma = np.asarray(layer.gamma)
        assert abs(gamma.mean() - 1) < 0.02 and 0.01 < gamma.std() < 0.03
    default = build("unet", image_size=32, filters=THIN)
    assert {
        (layer.epsilon, layer.momentum) for layer in layers_with_weights(default, keras.layers.BatchNormalization)
    } == {(1e-3, 0.99)}


def test_kernels_are_zeros_where_weights_follow():
    recipe = Recipe.load("vivid").with_values(**{"generator.args": SMALL_ARGS["vivid"]})
    fresh, empty = (build_generator(recipe, image_size=32, values=values) for values in (True, False))
    assert [variable.path for variable in fresh.variables] == [variable.path for variable in empty.variables]
    for one, other in zip(fresh.variables, empty.variables, strict=True):
        if one.path.endswith("kernel"):
            assert not np.any(other)
            assert np.any(one) or "hints" in one.path
        else:
            np.testing.assert_array_equal(one, other)


def test_dropout_is_noise_in_training_only():
    model = build("unet", image_size=32, filters=THIN, dropout_ups=[1, 2])
    x = random_inputs(model)
    np.testing.assert_array_equal(model(x, training=False), model(x, training=False))
    assert not np.array_equal(model(x, training=True), model(x, training=True))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"image_size": 100}, "nearest are 96 and 128"),
        ({"image_size": 20}, "nearest are 32 and 64"),
        ({"image_size": 0}, "nearest are 32 and 64"),
        ({"up_activation": "leaky_rlu"}, "did you mean 'leaky_relu'"),
        ({"batch_norm": "pytorch"}, "did you mean 'torch'"),
        ({"init": "gauss"}, r"unknown init 'gauss' \(known: glorot, he_normal, normal, zeros\)"),
        ({"dropout_ups": [5]}, r"dropout_ups \[5\]: expected numbers from 1 to 4"),
        ({"dropout": 1.5}, "dropout 1.5"),
        ({"filters": [8]}, "at least 2"),
        ({"filters": [8, 0, 8]}, "1 or more"),
    ],
)
def test_unet_refuses(args, message):
    with pytest.raises(ColorizeError, match=message):
        build("unet", **{"image_size": 32, "filters": THIN[:5], **args})


# Patch discriminator


def test_patchgan_of_report_b():
    model = build("patchgan", kind="discriminator", image_size=256)
    assert model.output.shape == (None, 30, 30, 1)
    assert trainable(model) == 2_765_633
    assert convolution_counts(model) == [3_136, 131_072, 524_288, 2_097_152, 8_193]


def test_patchgan_of_report_a():
    args = {"bias_first": False, "init": "glorot", "batch_norm": "keras"}
    model = build("patchgan", kind="discriminator", image_size=256, **args)
    assert convolution_counts(model) == [3_072, 131_072, 524_288, 2_097_152, 8_193]
    assert model.get_layer("block_4_conv").output.shape == (None, 31, 31, 512)
    assert model.output.shape == (None, 30, 30, 1)
    rgb = build("patchgan", kind="discriminator", image_size=256, target_channels=3, **args)
    assert convolution_counts(rgb)[0] == 4 * 64 * 16


def test_patchgan_sees_seventy_pixels():
    model = build("patchgan", kind="discriminator", image_size=96, filters=[4, 8, 16, 32])
    condition, target = (tf.constant(array) for array in random_inputs(model, batch=1))
    with tf.GradientTape() as tape:
        tape.watch([condition, target])
        logit = model([condition, target], training=False)[0, 5, 5, 0]
    for gradient in tape.gradient(logit, [condition, target]):
        rows, columns = np.nonzero(np.abs(gradient[0]).sum(-1))
        assert (rows.min(), rows.max()) == (columns.min(), columns.max())
        assert rows.max() - rows.min() + 1 == 70


@pytest.mark.parametrize(("size", "logits"), [(24, 1), (32, 2), (64, 6), (128, 14)])
def test_patchgan_at_small_sizes(size, logits):
    model = build("patchgan", kind="discriminator", image_size=size, filters=[4, 8, 16, 32])
    assert model.output.shape == (None, logits, logits, 1)


@pytest.mark.parametrize(("size", "nearest"), [(16, "24 and 32"), (20, "24 and 32"), (36, "32 and 40")])
def test_patchgan_refuses_a_size_without_logits(size, nearest):
    with pytest.raises(ColorizeError, match=f"at least 24; the nearest are {nearest}"):
        build("patchgan", kind="discriminator", image_size=size)


# Report A's first two students


def test_cnn_layer_by_layer(monkeypatch):
    # Zeros instead of random numbers: 170 million of them take seconds.
    zeros = lambda self, shape, dtype=None: ops.zeros(shape, dtype)  # noqa: E731
    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", zeros)
    model = build("cnn", image_size=256)
    assert model.input.shape == (None, 256, 256, 3)
    assert table(model) == [
        ("Conv_01", (256, 256, 64), 1_792),
        ("MaxPool_01", (128, 128, 64), 0),
        ("Conv_02", (128, 128, 128), 73_856),
        ("MaxPool_02", (64, 64, 128), 0),
        ("Conv_03", (64, 64, 256), 295_168),
        ("MaxPool_03", (32, 32, 256), 0),
        ("Conv_04", (32, 32, 512), 1_180_160),
        ("MaxPool_04", (16, 16, 512), 0),
        ("Flatten", (131_072,), 0),
        ("Dense_01", (512,), 67_109_376),
        ("Dense_02", (196_608,), 100_859_904),
        ("prediction", (256, 256, 3), 0),
    ]
    assert model.count_params() == 169_520_256


def test_cnn_paints_in_the_unit_interval():
    model = build("cnn", image_size=16)
    x = random_inputs(model)
    prediction = np.asarray(model(100 * x))
    assert prediction.min() >= 0 and prediction.max() <= 1


def test_cnn_has_no_free_size():
    with pytest.raises(ColorizeError, match="multiple of 16"):
        build("cnn", image_size=None)


def test_autoencoder_layer_by_layer():
    model = build("autoencoder", image_size=160)
    assert table(model) == [
        ("down_1_conv", (160, 160, 64), 640),
        ("down_2_conv", (80, 80, 64), 36_928),
        ("down_3_conv", (40, 40, 128), 73_856),
        ("down_4_conv", (20, 20, 256), 295_168),
        ("up_1_conv", (40, 40, 128), 295_040),
        ("up_1_concat", (40, 40, 256), 0),
        ("up_1_dropout", (40, 40, 256), 0),
        ("up_2_conv", (80, 80, 64), 147_520),
        ("up_2_concat", (80, 80, 128), 0),
        ("up_2_dropout", (80, 80, 128), 0),
        ("up_3_conv", (160, 160, 128), 147_584),
        ("up_3_concat", (160, 160, 192), 0),
        ("up_3_dropout", (160, 160, 192), 0),
        ("up_4_conv", (160, 160, 15), 25_935),
        ("up_4_concat", (160, 160, 16), 0),
        ("head_conv", (160, 160, 2), 290),
        ("prediction", (160, 160, 2), 0),
    ]
    assert model.count_params() == 1_022_961


def test_autoencoder_takes_free_sizes():
    model = build("autoencoder", image_size=None)
    assert model(np.zeros((1, 24, 40, 1), "float32")).shape == (1, 24, 40, 2)


# Report C's U-Net


def test_unet_maxpool_block_by_block():
    model = build("unet_maxpool", image_size=64)
    shapes = {name: shape for name, shape, _ in table(model)}
    for number, width in enumerate((64, 128, 256, 512), 1):
        assert shapes[f"down_{number}_activation"] == (128 // 2**number, 128 // 2**number, width)
    assert shapes["down_4_pool"] == (4, 4, 512)
    assert shapes["bottleneck_activation"] == (4, 4, 1024)
    for number, width in enumerate((512, 256, 128, 64), 1):
        side = 4 * 2**number
        assert shapes[f"up_{number}_conv"] == (side, side, width)
        assert shapes[f"up_{number}_activation"] == (side, side, 2 * width)
    order = [layer.name for layer in model.layers]
    start = order.index("up_1_conv")
    assert order[start : start + 4] == ["up_1_conv", "up_1_concat", "up_1_bn", "up_1_activation"]
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert {layer.epsilon for layer in layers_with_weights(model, keras.layers.BatchNormalization)} == {1e-5}
    assert model.get_layer("head_conv").kernel.shape == (1, 1, 128, 2)


# vivid


def test_vivid_is_as_compact_as_promised():
    model = build("vivid", image_size=256, condition_channels=4)
    assert model.count_params() == 3_964_117 <= 6e6
    assert model.output.shape == (None, 64, 64, 309)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    products = sum(np.prod(layer.output.shape[1:3]) * np.prod(layer.kernel.shape) for layer in convolutions)
    assert 2 * products == pytest.approx(7.96e9, rel=1e-2)  # GFLOP, of at most 8


def test_vivid_begins_as_a_function_of_lightness_and_learns_hints():
    model = build_small("vivid", condition_channels=4)
    condition = random_inputs(model)
    bare = condition * np.float32([1, 0, 0, 0])
    np.testing.assert_array_equal(model(condition, training=False), model(bare, training=False))
    found = gradients(model, condition)
    assert all(np.abs(found[f"{name}/kernel"]).max() > 0 for name in ("hints_encoder_conv", "hints_decoder_conv"))


@pytest.mark.parametrize("channels", [2, 3])
def test_vivid_takes_lightness_with_or_without_hints(channels):
    with pytest.raises(ColorizeError, match="it needs 1, or 4 with hints"):
        build_small("vivid", condition_channels=channels)


def test_vivid_knows_the_whole_scene_everywhere():
    model = build("vivid", image_size=None, **SMALL_ARGS["vivid"])
    photo = np.zeros((1, 512, 512, 1), "float32")
    elsewhere = photo.copy()
    elsewhere[:, 480:, 480:] = 1.0
    change = np.abs(np.asarray(model(photo, training=False)) - np.asarray(model(elsewhere, training=False)))
    assert change[0, 2, 2].max() > 0  # 500 pixels away, far beyond the convolutions' reach
