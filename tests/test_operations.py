"""Operations: a formula that is written once computes in NumPy what it computes with Keras, and loads no Keras then."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.operations import keras_ops, numpy_ops, operations
from keras_colorize.color.spaces import BinnedLabSpace
from keras_colorize.recipes import Decoding


def test_arrays_and_numbers_take_numpy_and_tensors_keras():
    array = np.zeros(3, np.float32)
    assert operations(array, 1.0, np.float32(2)) is numpy_ops
    assert operations(array, tf.constant(1.0)) is keras_ops


@pytest.mark.parametrize("vividness", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("with_hints", [False, True])
def test_a_distribution_is_decoded_alike(with_hints, vividness):
    rng = np.random.default_rng(0)
    space = BinnedLabSpace(Decoding(temperature=0.5, undo_rebalancing=0.6, lift=0.02), hints=True)
    logits = rng.normal(0, 3, (2, 6, 9, len(space.bins))).astype(np.float32)
    inputs = Inputs(rng.uniform(0, 100, (2, 24, 36, 1)).astype(np.float32))
    if with_hints:
        mask = (rng.uniform(size=(2, 24, 36, 1)) < 0.02).astype(np.float32)
        inputs = inputs._replace(hints=np.concatenate([40 * mask, -30 * mask, mask], axis=-1))
    found = space.chroma(inputs, logits, vividness)
    assert isinstance(found, np.ndarray) and found.dtype == np.float32 and found.shape == (2, 24, 36, 2)
    expected = space.chroma(inputs.map(tf.constant), tf.constant(logits), tf.constant(vividness))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_allclose(space.distribution(logits), space.distribution(tf.constant(logits)), atol=1e-6)


@pytest.mark.parametrize("size", [(9, 4), (3, 20), (6, 7)])
def test_images_are_resized_alike(size):
    images = np.random.default_rng(1).normal(size=(2, 6, 7, 3)).astype(np.float32)
    expected = keras_ops.image.resize(images, size, interpolation="bilinear", antialias=False)
    np.testing.assert_allclose(numpy_ops.image.resize(images, size), expected, atol=1e-5)
    with pytest.raises(ValueError, match="expected bilinear without a filter"):
        numpy_ops.image.resize(images, size, interpolation="bicubic")


def test_images_are_filtered_alike():
    rng = np.random.default_rng(2)
    images, kernel = rng.normal(size=(2, 8, 9, 3)).astype(np.float32), rng.normal(size=(3, 5, 3, 1)).astype(np.float32)
    expected = keras_ops.depthwise_conv(images, kernel, padding="same")
    np.testing.assert_allclose(numpy_ops.depthwise_conv(images, kernel, padding="same"), expected, atol=1e-5)
    with pytest.raises(ValueError, match="expected odd sides"):
        numpy_ops.depthwise_conv(images, kernel[:2], padding="same")


def test_decoding_arrays_loads_no_keras():
    code = (
        "import sys, numpy as np\n"
        "from keras_colorize.color.inputs import Inputs\n"
        "from keras_colorize.color.spaces import BinnedLabSpace\n"
        "from keras_colorize.inference.hints import Hint\n"
        "space = BinnedLabSpace(hints=True)\n"
        "hints = np.zeros((1, 16, 16, 3), 'float32'); hints[0, 3, 3] = (*Hint(0, 0, 'firebrick').ab, 1)\n"
        "inputs = Inputs(np.full((1, 16, 16, 1), 50, 'float32'), hints)\n"
        "space.chroma(inputs, np.zeros((1, 4, 4, 309), 'float32'), 1.2)\n"
        "print(sorted({'keras', 'tensorflow'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
