"""ImageNet weights in the encoders of `vivid` and `resnet_unet` compute what ResNet-18 computes of a grey photo."""

import hashlib

import keras
import numpy as np
import pytest

from keras_colorize.errors import ColorizeError
from keras_colorize.models import build, encoder
from keras_colorize.models.backbones import resnet18
from keras_colorize.models.encoder import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    find_folded,
    fold_resnet18,
    read_folded,
    start_encoder,
)
from keras_colorize.recipes import Recipe
from keras_colorize.training import loop as train


@pytest.fixture(scope="module")
def source():
    """ResNet-18 whose batch normalizations are not the identity."""
    keras.utils.set_random_seed(3)
    network = resnet18("random", channels=3)
    rng = np.random.default_rng(4)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for weight, (low, high) in zip(
                layer.weights, [(0.7, 1.2), (-0.2, 0.2), (-0.2, 0.2), (0.6, 1.5)], strict=True
            ):
                weight.assign(rng.uniform(low, high, weight.shape))
    return network


@pytest.fixture(scope="module")
def folded(source):
    return fold_resnet18(source)


@pytest.fixture
def file(folded, tmp_path):
    np.savez(tmp_path / "encoder.npz", **folded)
    return tmp_path / "encoder.npz"


@pytest.mark.parametrize("training", [False, True])
def test_the_encoder_starts_as_resnet_18(source, folded, training):
    network = build("vivid", image_size=64, condition_channels=4)
    grey = np.random.default_rng(0).uniform(0, 1, (6, 64, 64, 1)).astype("float32")
    condition = np.concatenate([2 * grey - 1, np.zeros((6, 64, 64, 3), "float32")], axis=-1)
    start_encoder(network, folded, condition)
    expected = np.asarray(source((np.repeat(grey, 3, axis=-1) - IMAGENET_MEAN) / IMAGENET_STD, training=False)[3])
    ours = keras.Model(network.input, network.get_layer("encoder_3_block_2_relu").output)
    # Statistics of the photos on which the normalizations were set are those of a batch of the same photos. Only at the
    # edges zeros of the padding mean another grey.
    apart = np.abs(np.asarray(ours(condition, training=training)) - expected)
    assert apart.mean() < 0.1 * np.abs(expected).mean()
    assert apart[:, 2, 2].mean() < 0.03 * np.abs(expected).mean()


@pytest.mark.parametrize("training", [False, True])
def test_the_encoder_of_resnet_unet_starts_as_resnet_18_to_layer3(source, folded, training):
    network = resnet18("random", channels=1)
    fourth = network.get_layer("stack3_block1_2_conv").get_weights()
    grey = np.random.default_rng(0).uniform(0, 1, (6, 64, 64, 1)).astype("float32")
    assert start_encoder(network, folded, 2 * grey - 1) == "layer3"
    np.testing.assert_array_equal(fourth, network.get_layer("stack3_block1_2_conv").get_weights())
    theirs = source((np.repeat(grey, 3, axis=-1) - IMAGENET_MEAN) / IMAGENET_STD, training=False)
    ours = network(2 * grey - 1, training=training)
    for mine, expected in zip(ours[:4], theirs[:4], strict=True):
        apart = np.abs(np.asarray(mine) - expected)
        assert apart.mean() < 0.1 * np.abs(expected).mean()
        # Far from the edges, where zeros of the padding mean another grey; the deepest of them reaches everywhere.
        side = apart.shape[1]
        assert apart[:, side // 2, side // 2].mean() < 0.03 * np.abs(expected).mean()


def test_weights_for_all_stages_fill_all_stages(source, folded):
    whole = dict(folded)
    for conv in encoder.encoder_convolutions(source):
        if conv.source.startswith("layer4"):
            whole[f"{conv.source}.weight"] = np.asarray(conv.layer.kernel).transpose(3, 2, 0, 1)
            whole[f"{conv.source}.bias"] = np.zeros(conv.layer.filters, "float32")
    network = resnet18("random", channels=1)
    assert start_encoder(network, whole, np.zeros((1, 64, 64, 1), "float32")) == "layer4"
    kernel = source.get_layer("stack3_block0_0_conv").kernel
    np.testing.assert_array_equal(network.get_layer("stack3_block0_0_conv").kernel, kernel)


def test_a_network_without_such_an_encoder_is_refused(folded):
    with pytest.raises(ColorizeError, match=r"fit no layer of 'autoencoder'.*'vivid' and 'resnet_unet'"):
        start_encoder(build("autoencoder", image_size=32), folded, np.zeros((1, 32, 32, 1), "float32"))


def test_a_file_of_folded_weights_is_checked(file, folded):
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    found, origin = find_folded(file, sha256)
    assert found.keys() == folded.keys() and "encoder.npz" in origin and sha256[:12] in origin
    with pytest.raises(ColorizeError, match="is not the file of encoder weights"):
        read_folded(file, "0" * 64)
    with pytest.raises(ColorizeError, match="no encoder weights at"):
        read_folded(file.with_name("none.npz"))
    (broken := file.with_name("broken.npz")).write_bytes(b"no archive")
    with pytest.raises(ColorizeError, match="holds no encoder weights"):
        read_folded(broken)


def test_without_the_file_kerashub_serves(monkeypatch, tmp_path):
    monkeypatch.setattr(encoder, "fetch_folded", lambda: {"conv1.bias": np.zeros(64)})
    found, origin = find_folded(tmp_path / "none.npz")
    assert list(found) == ["conv1.bias"] and origin.startswith("KerasHub's resnet_18_imagenet")


def test_weights_that_do_not_fit_are_refused(folded):
    condition = np.zeros((1, 32, 32, 1), "float32")
    narrow = build("vivid", image_size=32, filters=[8, 16, 16], width=8)
    with pytest.raises(ColorizeError, match="do not fit: 'encoder_stem'"):
        start_encoder(narrow, folded, condition)
    with pytest.raises(ColorizeError, match=r"lack 'layer1\.0\.conv2'"):
        start_encoder(
            build("vivid", image_size=32),
            {name: value for name, value in folded.items() if "layer1.0.conv2" not in name},
            condition,
        )


@pytest.mark.slow
def test_a_run_says_what_its_encoder_starts_from(file, folded, photo_folder, tmp_path):
    recipe = Recipe.load("vivid").with_values(
        **{
            "generator": {"name": "vivid", "args": {}},
            "encoder_weights": str(file),
            "encoder_sha256": "",
            "hints": False,
            "augment.hints": 0.0,
            "data.source": str(photo_folder),
            "data.image_size": 32,
            "data.batch_size": 4,
            "augment.crop_margin": 4,
            "schedule.epochs": 1,
            "schedule.steps_per_epoch": 1,
            "optimizer.learning_rate": 0.0,
            "optimizer.weight_decay": 0.0,
            "runtime.precision": "float32",
        }
    )
    folder = train.start(recipe, tmp_path)
    assert "starts from: encoder.npz (SHA-256 not checked) (the encoder to layer3)" in folder.notes_file.read_text()
    network = build("vivid", image_size=32)
    network.load_weights(folder.generator_weights)
    kernel = network.get_layer("encoder_2_block_1_1").kernel
    np.testing.assert_array_equal(kernel, folded["layer2.0.conv1.weight"].transpose(2, 3, 1, 0))


@pytest.mark.slow
def test_a_resnet_gan_starts_from_the_file_and_fetches_nothing(file, folded, photo_folder, tmp_path, monkeypatch):
    def fetch(*args):
        raise AssertionError("nothing is to be fetched")

    monkeypatch.setattr(encoder, "fetch_folded", fetch)
    recipe = Recipe.load("resnet18_shuffle_gan").with_values(
        **{
            "encoder_weights": str(file),
            "data.source": str(photo_folder),
            "data.image_size": 32,
            "data.batch_size": 4,
            "schedule.epochs": 1,
            "schedule.steps_per_epoch": 1,
            "optimizer.learning_rate": 0.0,
            "runtime.precision": "float32",
        }
    )
    folder = train.start(recipe, tmp_path)
    assert "(the encoder to layer3), the rest fresh (seed 0)" in folder.notes_file.read_text()
    network = build("resnet_unet", image_size=32, backbone_weights="random")
    network.load_weights(folder.generator_weights)
    kernel = network.get_layer("encoder").get_layer("stack1_block0_1_conv").kernel
    np.testing.assert_array_equal(kernel, folded["layer2.0.conv1.weight"].transpose(2, 3, 1, 0))
