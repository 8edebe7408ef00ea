"""Helpers of the tests of networks: small arguments for every architecture, random inputs, gradients."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_colorize import models
from keras_colorize.models import registry

# An architecture that is not named here is built as it is. Thin filters and random weights keep the tests quick.
SMALL_ARGS: dict[str, dict[str, Any]] = {
    "koalarization": {"inception": False},
    "resnet_unet": {"backbone_weights": "random"},
    "unet": {"filters": [8, 16, 24, 32, 32, 32], "dropout_downs": [1], "dropout_ups": [2]},
    "unet_maxpool": {"filters": [8, 16, 32, 64, 128]},
    "vivid": {"filters": [8, 16, 16], "blocks": [1, 1, 1], "width": 8},
}
SMALL_SIZE = 64


def build_small(name: str, kind: registry.Kind = "generator", **args: Any) -> keras.Model:
    """The architecture at 64×64, with its small arguments."""
    return models.build(name, kind, **{"image_size": SMALL_SIZE, **SMALL_ARGS.get(name, {}), **args})


def random_inputs(model: keras.Model, batch: int = 2, size: int = SMALL_SIZE) -> Any:
    """Make inputs for a model, float32 in [-1, 1]: one array, or a list of two. Free sizes become `size`."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.uniform(-1, 1, (batch, *(size if side is None else side for side in tensor.shape[1:]))).astype("float32")
        for tensor in model.inputs
    ]
    return arrays[0] if len(arrays) == 1 else arrays


def gradients(model: keras.Model, inputs: Any) -> dict[str, Any]:
    """Gradient of the mean squared output for each trainable variable, by path; None where nothing flows."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(inputs, training=True)))
    variables = model.trainable_variables
    found = tape.gradient(loss, [variable.value for variable in variables])
    return {variable.path: gradient for variable, gradient in zip(variables, found, strict=True)}
