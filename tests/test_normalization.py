"""Batch normalization: the fused kernel computes what Keras' layer does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.models.normalization import BatchNormalization, batch_norm

SHAPE = (3, 5, 4, 6)


def batches(count):
    rng = np.random.default_rng(0)
    return [rng.normal(2.0, 3.0, SHAPE).astype("float32") for _ in range(count)]


def pair(**options):
    """Ours and Keras', with the same scale and shift."""
    layers = [kind(name="bn", **options) for kind in (BatchNormalization, keras.layers.BatchNormalization)]
    rng = np.random.default_rng(1)
    scale, shift = rng.uniform(0.5, 2.0, SHAPE[-1]), rng.normal(size=SHAPE[-1])
    for layer in layers:
        layer.build(SHAPE)
        layer.gamma.assign(scale)
        layer.beta.assign(shift)
    return layers


def kernels(layer, batch):
    """Names of the operations of a training call."""
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(batch).graph
    return {operation.type for operation in graph.get_operations()}


@pytest.mark.parametrize("options", [{"epsilon": 1e-3, "momentum": 0.99}, {"epsilon": 1e-5, "momentum": 0.9}])
def test_training_gives_keras_outputs_gradients_and_moving_averages(options):
    ours, theirs = pair(**options)
    for batch in batches(3):
        outputs, gradients = [], []
        for layer in (ours, theirs):
            x = tf.constant(batch)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True)
                loss = tf.reduce_sum(tf.square(y) * tf.constant(batch))
            outputs.append(y)
            gradients.append(tape.gradient(loss, [x, layer.gamma.value, layer.beta.value]))
        np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)
        for mine, keras_own in zip(*gradients, strict=True):
            np.testing.assert_allclose(mine, keras_own, rtol=1e-4, atol=1e-3)
    for mine, keras_own in zip(ours.weights, theirs.weights, strict=True):
        assert mine.path.split("/")[-1] == keras_own.path.split("/")[-1]
        np.testing.assert_allclose(mine, keras_own, rtol=1e-5)
    np.testing.assert_allclose(ours(batches(1)[0], training=False), theirs(batches(1)[0], training=False), atol=1e-5)


def test_one_value_per_channel_has_no_variance():
    ours, _ = pair(epsilon=1e-3, momentum=0.5)
    y = ours(np.full((1, 1, 1, 6), 7.0, "float32"), training=True)
    np.testing.assert_allclose(y[0, 0, 0], ours.beta, atol=1e-5)
    np.testing.assert_allclose(ours.moving_variance, 0.5)  # halfway from 1 to 0
    np.testing.assert_allclose(ours.moving_mean, 3.5)


def test_it_is_one_kernel_where_that_is_right_and_keras_own_elsewhere():
    batch = batches(1)[0]
    assert "FusedBatchNormV3" in kernels(pair()[0], batch)
    assert "FusedBatchNormV3" not in kernels(pair()[1], batch)
    several_replicas = pair()[0]
    several_replicas.synchronized = True
    frozen = pair()[0]
    frozen.trainable = False
    for layer in (several_replicas, frozen):
        assert "FusedBatchNormV3" not in kernels(layer, batch)


def test_bfloat16_in_bfloat16_out_with_float32_statistics():
    layer = BatchNormalization(dtype="mixed_bfloat16")
    assert layer(tf.cast(batches(1)[0], "bfloat16"), training=True).dtype == tf.bfloat16
    assert layer.moving_variance.dtype == "float32"
    exact, _ = pair()
    exact(batches(1)[0], training=True)
    np.testing.assert_allclose(layer.moving_mean, exact.moving_mean, atol=1e-3)


def test_it_comes_back_from_a_saved_model(tmp_path):
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, batch_norm("torch", "normal", "bn")(inputs))
    model.save(tmp_path / "model.keras")
    layer = keras.models.load_model(tmp_path / "model.keras").get_layer("bn")
    assert type(layer) is BatchNormalization
    assert (layer.epsilon, layer.momentum) == (1e-5, 0.9)
