"""The training steps: against hand-written NumPy, on the GPU's operations, with all their state."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from keras_colorize.color.spaces import LabSpace
from keras_colorize.recipes import Augment, Loss, Recipe
from keras_colorize.recipes.shrink import SMOKE, shrink
from keras_colorize.training import GANTrainer, SupervisedTrainer, build_stages
from tests.conftest import colorful_photo

STILL = Augment(flip_horizontal=False)
PHOTOS = np.stack([colorful_photo(seed, 8, 8) for seed in range(4)])
RATE, WEIGHT = 0.1, 7.0


def linear_generator():
    condition = keras.Input((None, None, 1))
    return keras.Model(condition, keras.layers.Conv2D(2, 1, bias_initializer="ones")(condition))


def linear_discriminator():
    inputs = [keras.Input((None, None, 1)), keras.Input((None, None, 2))]
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, bias_initializer="ones")(keras.layers.Concatenate()(inputs)))


def linear_gan(*, discriminator_every=1, **loss):
    keras.utils.set_random_seed(3)
    loss = Loss(reconstruction_weight=WEIGHT, **loss)
    trainer = GANTrainer(
        linear_generator(), linear_discriminator(), LabSpace(),
        augment=STILL, loss=loss, discriminator_every=discriminator_every,
    )  # fmt: skip
    trainer.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE))
    return trainer


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def numpy_step(x, y, generator, discriminator, *, adversarial, reduction):
    """One step of a linear conditional GAN by hand: x (N, 1), y (N, 2); networks are lists [kernel, bias], changed."""
    (v, c), (w, b) = generator, discriminator
    n = len(x)
    fake = x @ v + c
    pairs_real, pairs_fake = np.hstack([x, y]), np.hstack([x, fake])
    z_real, z_fake = pairs_real @ w + b, pairs_fake @ w + b
    if adversarial == "vanilla":
        d_real, d_fake = np.log1p(np.exp(-z_real)).mean(), np.log1p(np.exp(z_fake)).mean()
        slope_real, slope_fake = -sigmoid(-z_real), sigmoid(z_fake)
    else:
        d_real, d_fake = np.square(z_real - 1).mean(), np.square(z_fake).mean()
        slope_real, slope_fake = 2 * (z_real - 1), 2 * z_fake
    half = 0.5 if reduction == "mean" else 1.0
    w = w - RATE * half * (pairs_real.T @ slope_real + pairs_fake.T @ slope_fake) / n
    b = b - RATE * half * (slope_real + slope_fake).sum(axis=0) / n

    z = pairs_fake @ w + b  # through the discriminator just updated
    if adversarial == "vanilla":
        g_adversarial, slope = np.log1p(np.exp(-z)).mean(), -sigmoid(-z)
    else:
        g_adversarial, slope = np.square(z - 1).mean(), 2 * (z - 1)
    to_fake = slope @ w[1:].T / n + WEIGHT * np.sign(fake - y) / (2 * n)
    generator[:] = [v - RATE * x.T @ to_fake, c - RATE * to_fake.sum(axis=0)]
    discriminator[:] = [w, b]
    reconstruction = np.abs(y - fake).mean()
    return {
        "d_real": d_real,
        "d_fake": d_fake,
        "g_adversarial": g_adversarial,
        "g_reconstruction": reconstruction,
        "g_total": g_adversarial + WEIGHT * reconstruction,
    }


def prepared(trainer):
    """Condition and target of the photos."""
    return trainer.prepare(tf.constant(PHOTOS), training=False)[1:]


def as_matrices(network):
    return [weight.astype("float64").reshape(-1, weight.shape[-1]) for weight in network.get_weights()]


@pytest.mark.parametrize("adversarial", ["vanilla", "lsgan"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gan_step_equals_the_hand_written_one(adversarial, reduction):
    trainer = linear_gan(adversarial=adversarial, discriminator_reduction=reduction)
    generator, discriminator = as_matrices(trainer.generator), as_matrices(trainer.discriminator)
    x, y = (np.asarray(tensor, "float64").reshape(-1, tensor.shape[-1]) for tensor in prepared(trainer))
    for _ in range(3):
        for mean in trainer.metrics:
            mean.reset_state()
        got = trainer.train_step(tf.constant(PHOTOS))
        expected = numpy_step(x, y, generator, discriminator, adversarial=adversarial, reduction=reduction)
        assert set(got) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(float(got[name]), value, rtol=1e-5, err_msg=name)
    for network, reference in ((trainer.generator, generator), (trainer.discriminator, discriminator)):
        for weight, value in zip(as_matrices(network), reference, strict=True):
            np.testing.assert_allclose(weight, value, atol=1e-5)


def test_the_discriminator_learns_once_per_cadence():
    trainer = linear_gan(discriminator_every=5)
    before = trainer.discriminator.get_weights()[0]
    step = tf.function(trainer.train_step, autograph=False)
    kernels_seen = []
    for _ in range(10):
        step(tf.constant(PHOTOS))
        kernels_seen.append(trainer.discriminator.get_weights()[0])
    assert int(trainer.optimizer.iterations) == 10
    assert int(trainer.discriminator_optimizer.iterations) == 2
    assert not np.array_equal(before, kernels_seen[0])
    assert all(np.array_equal(kernels_seen[0], kernel) for kernel in kernels_seen[1:5])
    assert not np.array_equal(kernels_seen[4], kernels_seen[5])


def test_supervised_step_equals_the_hand_written_one():
    trainer = SupervisedTrainer(
        linear_generator(), LabSpace(), augment=STILL, loss=Loss(reconstruction="l2", reconstruction_weight=1.0)
    )
    trainer.compile(keras.optimizers.SGD(RATE))
    v, c = as_matrices(trainer.generator)
    x, y = (np.asarray(tensor, "float64").reshape(-1, tensor.shape[-1]) for tensor in prepared(trainer))
    got = trainer.train_step(tf.constant(PHOTOS))
    error = x @ v + c - y
    np.testing.assert_allclose(float(got["g_total"]), np.square(error).mean(), rtol=1e-5)
    np.testing.assert_allclose(as_matrices(trainer.generator)[0], v - RATE * x.T @ error / len(x), atol=1e-6)


def test_keras_fit_and_evaluate_drive_the_trainer():
    trainer = linear_gan()
    photos = tf.data.Dataset.from_tensor_slices(PHOTOS).batch(2)
    history = trainer.fit(photos, shuffle=False, validation_data=photos, epochs=3, verbose=0).history
    assert history["val_ab_mae"][-1] < history["val_ab_mae"][0]
    assert {"d_real", "d_fake", "g_adversarial", "g_total", "val_psnr"} <= set(history)
    assert trainer.evaluate(photos, verbose=0, return_dict=True)["ab_mae"] == pytest.approx(history["val_ab_mae"][-1])


def test_a_call_and_predict_give_the_generators_output():
    trainer = linear_gan()
    expected = np.asarray(trainer.generator(prepared(trainer)[0], training=False))
    np.testing.assert_array_equal(trainer(PHOTOS), expected)
    np.testing.assert_allclose(trainer.predict(PHOTOS, batch_size=3, verbose=0), expected, atol=1e-6)
    batches = tf.data.Dataset.from_tensor_slices(PHOTOS).batch(3)
    np.testing.assert_allclose(trainer.predict(batches, verbose=0), expected, atol=1e-6)
    photos = keras.Input((None, None, 3), dtype="uint8")
    np.testing.assert_allclose(keras.Model(photos, trainer(photos))(PHOTOS), expected, atol=1e-6)


def test_a_call_in_training_keeps_dropout_and_not_augmentation():
    trainer = linear_gan()
    condition = keras.Input((None, None, 1))
    noisy = keras.layers.Dropout(0.5)(keras.layers.Conv2D(2, 1)(condition))
    other = SupervisedTrainer(keras.Model(condition, noisy), LabSpace(), augment=Augment(noise=1.0))
    assert not np.array_equal(other(PHOTOS, training=True), other(PHOTOS, training=True))
    np.testing.assert_array_equal(other(PHOTOS), other(PHOTOS))
    np.testing.assert_array_equal(trainer(PHOTOS, training=True), trainer(PHOTOS))


def test_optimizers_may_be_named():
    trainer = GANTrainer(linear_generator(), linear_discriminator(), LabSpace())
    trainer.compile("sgd", "adam")
    assert isinstance(trainer.optimizer, keras.optimizers.SGD)
    assert isinstance(trainer.discriminator_optimizer, keras.optimizers.Adam)


def test_validation_is_in_cie_units_and_independent_of_batches():
    trainer = linear_gan()
    trainer.generator.set_weights([np.zeros((1, 1, 1, 2)), np.zeros(2)])  # predicts grey
    whole = trainer.evaluate(PHOTOS, batch_size=4, verbose=0, return_dict=True)
    parts = trainer.evaluate(PHOTOS, batch_size=3, verbose=0, return_dict=True)
    assert whole["ab_mae"] == pytest.approx(parts["ab_mae"], rel=1e-6)
    _, target = trainer.split(PHOTOS / 255.0)
    assert whole["ab_mae"] == pytest.approx(np.abs(np.asarray(target)).mean() * 110, rel=1e-5)


def small(name, **values):
    recipe, _ = shrink(Recipe.load(name), SMOKE)
    return recipe.with_values(**values)


@pytest.fixture(scope="module")
def built():
    cache = {}

    def build(name, **values):
        key = (name, *values.items())
        if key not in cache:
            cache[key] = build_stages(small(name, **values))[-1].trainer
        return cache[key]

    return build


def signature(trainer, name):
    size = small(name).data.image_size
    return tf.TensorSpec((4, size, size, 3), tf.uint8)


# What a graph is made of besides arithmetic; these have kernels everywhere or none at all.
STRUCTURE = {"Placeholder", "NoOp", "PartitionedCall", "StatefulPartitionedCall"}


@pytest.mark.parametrize("name", ["unet_skip", "unet_noskip"])
def test_every_operation_of_the_step_runs_on_a_gpu(name, built):
    trainer = built(name, **{"augment.noise": 0.05, "augment.flip_vertical": True})
    trainer.split = trainer.space.split  # as on a GPU, where the whole step is compiled
    graph = tf.function(trainer.train_step, autograph=False).get_concrete_function(signature(trainer, name)).graph
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    names = {node.op for node in nodes} - STRUCTURE
    assert names >= {"Conv2D", "Conv2DBackpropInput", "SelectV2", "ResourceApplyAdam"}
    assert not any(op.startswith(("Py", "EagerPy", "String", "Decode", "Regex")) for op in names)
    for op in sorted(names):
        devices = {kernel.device_type for kernel in kernels.get_registered_kernels_for_op(op).kernel}
        assert devices & {"GPU", "DEFAULT"}, f"{op} has no GPU kernel: {sorted(devices)}"


def test_bfloat16_arithmetic_keeps_float32_weights_and_tracks_float32(built):
    trainers = [built("unet_skip", **{"runtime.precision": p}) for p in ("float32", "bfloat16")]
    assert {v.dtype for v in trainers[1].generator.trainable_variables} == {"float32"}
    assert trainers[1].generator.get_layer("down_2_conv").compute_dtype == "bfloat16"
    batch = tf.constant(np.stack([colorful_photo(seed, 32, 32) for seed in range(4)]))
    values = [trainer.test_step(batch) for trainer in trainers]
    for name in values[0]:
        assert float(values[1][name]) == pytest.approx(float(values[0][name]), rel=0.01), name


def test_state_holds_weights_seeds_means_and_both_optimizers(built):
    trainer = built("unet_skip")
    paths = {id(variable.value) for variable in trainer.state_variables()}
    assert len(paths) == len(trainer.state_variables())
    needed = [
        *trainer.generator.variables, *trainer.discriminator.variables, trainer.augment_seed.state,
        *trainer.optimizer.variables, *trainer.discriminator_optimizer.variables,
        *(variable for metric in trainer.metrics for variable in metric.variables),
    ]  # fmt: skip
    assert {id(variable.value) for variable in needed} <= paths
    assert len(trainer.optimizer.variables) > 2 * len(trainer.generator.trainable_variables)
