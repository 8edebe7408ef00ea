"""Adam in one kernel: the same numbers as Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_colorize.training.optimizers import Adam
from keras_colorize.training.schedules import WarmupAndDecay


def trained(kind, steps=6, **options):
    """Two variables and their moments after some steps on the same gradients."""
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=shape).astype("float32")) for shape in ((5, 7), (3,))]
    optimizer = kind(**options)
    optimizer.build(variables)
    for _ in range(steps):
        gradients = [tf.constant(rng.normal(size=variable.shape), "float32") for variable in variables]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
    return [np.asarray(variable) for variable in [*variables, *optimizer.variables]]


def schedule():
    rate = WarmupAndDecay(1e-2, 2, decay=True)
    rate.total_steps = 6
    return rate


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": 2e-4, "beta_1": 0.5},
        {"learning_rate": 1e-2, "weight_decay": 0.1, "beta_2": 0.99, "epsilon": 1e-3},
        {"learning_rate": 1e-2, "amsgrad": True},
    ],
)
def test_it_computes_what_keras_does(options):
    for ours, theirs in zip(trained(Adam, **options), trained(keras.optimizers.Adam, **options), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_it_follows_a_schedule():
    ours, theirs = (trained(kind, learning_rate=schedule()) for kind in (Adam, keras.optimizers.Adam))
    for mine, keras_own in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, keras_own, rtol=1e-5, atol=1e-7)


def test_it_is_one_kernel_per_variable():
    variables = [keras.Variable(np.zeros(4, "float32")) for _ in range(2)]
    optimizer = Adam(1e-3)
    optimizer.build(variables)
    step = tf.function(lambda: optimizer.apply_gradients([(tf.ones(4), variable) for variable in variables]))
    operations = [operation.type for operation in step.get_concrete_function().graph.get_operations()]
    assert operations.count("ResourceApplyAdam") == 2
    assert "Square" not in operations


def test_it_updates_every_replica():
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([devices[0].name])
    with strategy.scope():
        variable = keras.Variable(np.ones(3, "float32"))
        optimizer = Adam(0.5)
        optimizer.build([variable])
    strategy.run(lambda: optimizer.apply_gradients([(tf.ones(3), variable)]))
    np.testing.assert_allclose(variable, 0.5, atol=1e-5)
