"""Compute values of everything that runs on any Keras backend, and store them: `python -m tests.backend_values FILE`.

The backend is the one of `KERAS_BACKEND`. Random numbers and weights come from NumPy, so that they are the same
everywhere; `tests/test_backends.py` compares the files.
"""

import sys

import keras
import numpy as np
from keras import ops

from keras_colorize import models
from keras_colorize.color.bins import packaged_bins
from keras_colorize.color.gamut import clip_chroma
from keras_colorize.color.inputs import Inputs
from keras_colorize.color.lab import lab_to_rgb, rgb_to_lab
from keras_colorize.color.spaces import BinnedLabSpace, get_space
from keras_colorize.data.augment import augment_photos, uniform_noise
from keras_colorize.data.hints import paint_hints, random_places, recolor_things
from keras_colorize.data.wear import age_lightness
from keras_colorize.metrics import color_bins, image
from keras_colorize.models import layers
from keras_colorize.recipes import Augment, Decoding
from keras_colorize.training import losses

GENERATORS = {
    "unet": {"image_size": 32, "filters": [8, 16, 16], "skips": True},
    "unet_maxpool": {"image_size": 32, "filters": [8, 16, 16]},
    "autoencoder": {"image_size": 32},
    "cnn": {"image_size": 16},
    "vivid": {"image_size": 32, "condition_channels": 4, "target_channels": 309},
}
AB_UNIT, L_UNIT = 110.0, 100.0  # CIE units are compared as shares of these


def main(file: str) -> None:
    """Compute all values and write them as a NumPy archive."""
    values: dict[str, object] = {}
    for part in (color_values, space_values, augmentation_values, layer_values, loss_values, metric_values):
        values |= part(np.random.default_rng(0))
    for name, arguments in GENERATORS.items():
        values |= generator_values(name, arguments)
    values |= discriminator_values()
    np.savez(file, **{name: ops.convert_to_numpy(value) for name, value in values.items()})


def color_values(random: np.random.Generator) -> dict:
    rgb = random.random((2, 40, 25, 3), "float32")
    lab = np.concatenate([random.uniform(0, 100, (999, 1)), random.uniform(-120, 120, (999, 2))], -1).astype("float32")
    unit = np.array([L_UNIT, AB_UNIT, AB_UNIT], "float32")
    return {
        "rgb_to_lab": rgb_to_lab(rgb) / unit,
        "lab_to_rgb": lab_to_rgb(lab),
        "lab_to_rgb, not clipped": lab_to_rgb(lab[lab[:, 0] > 10], clip=False),
        "clip_chroma": clip_chroma(lab) / unit,
    }


def space_values(random: np.random.Generator) -> dict:
    values = {}
    rgb = random.random((2, 16, 16, 3), "float32")
    for name in ("lab", "rgb", "rgb01", "binned_lab"):
        for hints in (False, True):
            if name == "binned_lab":
                decoding = Decoding(temperature=0.5, lift=0.01, undo_rebalancing=0.3)
                space = BinnedLabSpace(decoding, 0.5, hints=hints)
            else:
                space = get_space(name, hints=hints)
            inputs, target = space.split(ops.convert_to_tensor(rgb))
            if hints:
                given = random.random((2, 16, 16, 3), "float32") * (random.random((2, 16, 16, 1)) < 0.02)
                inputs = Inputs(inputs.lightness, ops.convert_to_tensor(given.astype("float32")))
            size = 4 if name == "binned_lab" else 16
            prediction = random.uniform(-1, 1, (2, size, size, space.target_channels)).astype("float32")
            label = f"space {name}{', hints' if hints else ''}"
            values |= {
                f"{label}: condition": space.condition(inputs),
                f"{label}: target": space.target_chroma(target) / AB_UNIT,
                f"{label}: chroma": space.chroma(inputs, ops.convert_to_tensor(prediction), 1.1) / AB_UNIT,
                f"{label}: merge": space.merge(inputs, ops.convert_to_tensor(prediction)),
            }
    return values


def augmentation_values(random: np.random.Generator) -> dict:
    rgb_u8 = ops.convert_to_tensor(random.integers(0, 256, (6, 24, 24, 3), "uint8"))
    L = ops.convert_to_tensor(random.uniform(0, 100, (6, 20, 20, 1)).astype("float32"))
    ab = ops.convert_to_tensor(random.uniform(-80, 80, (6, 20, 20, 2)).astype("float32"))
    seed = keras.random.SeedGenerator(0)
    draws = {"uniform": keras.random.uniform, "normal": keras.random.normal, "randint": keras.random.randint}
    keras.random.uniform = lambda shape, low=0.0, high=1.0, **_: ops.convert_to_tensor(
        random.uniform(low, high, tuple(map(int, shape))).astype("float32")
    )
    keras.random.normal = lambda shape, **_: ops.convert_to_tensor(
        random.normal(size=tuple(map(int, shape))).astype("float32")
    )
    keras.random.randint = lambda shape, low, high, **_: ops.convert_to_tensor(
        random.integers(low, high, tuple(map(int, shape)), "int32")
    )
    try:
        places = random_places((6, 20, 20), seed, share=0.8, mean=4, patch=5, most=16, recolored=0.5)
        cropped = Augment(flip_vertical=True, quarter_turns=True, crop_margin=4, borders=0.5)
        return {
            "augment: crops, flips, turns, borders": augment_photos(rgb_u8, seed, cropped),
            "augment: noise": uniform_noise(L / 50 - 1, seed, 0.05),
            "augment: age": age_lightness(L, seed, 0.5) / L_UNIT,
            "augment: hints": paint_hints(ab, places) / AB_UNIT,
            "augment: things of another colour": recolor_things(L, ab, places, seed) / AB_UNIT,
            # Rounded to whole levels at the end: halves may go either way.
            "augment: zoom, levels": ops.cast(augment_photos(rgb_u8, seed, Augment(zoom=1.5)), "float32"),
        }
    finally:
        for name, draw in draws.items():
            setattr(keras.random, name, draw)


def layer_values(random: np.random.Generator) -> dict:
    x = random.random((2, 8, 8, 8), "float32")
    hints = random.random((2, 8, 8, 3), "float32") * (random.random((2, 8, 8, 1)) < 0.2).astype("float32")
    return {
        "layer: PixelShuffle": layers.PixelShuffle(2)(x),
        "layer: NearestUp": layers.NearestUp()(x),
        "layer: Fusion": layers.Fusion()([x, random.random((2, 5), "float32")]),
        "layer: Channels": layers.Channels(1, 3)(x),
        "layer: PooledHints": layers.PooledHints(4)(hints),
    }


def loss_values(random: np.random.Generator) -> dict:
    target, prediction = (random.uniform(-1, 1, (3, 8, 8, 2)).astype("float32") for _ in range(2))
    logits = random.normal(size=(3, 4, 4, 1)).astype("float32")
    bins = packaged_bins()
    cross_entropy = losses.rebalanced_cross_entropy(bins, 0.5)
    classes = random.normal(size=(3, 4, 4, len(bins))).astype("float32")
    return {
        "loss: l1": losses.l1(target, prediction),
        "loss: l2": losses.l2(target, prediction),
        "loss: cross-entropy": cross_entropy(ops.convert_to_tensor(60 * target), ops.convert_to_tensor(classes)) / 10,
        "loss: perceptual": losses.perceptual(lambda rgb: rgb, 60 * target, 60 * prediction),
        **{
            f"loss: {name}, {real}": loss(logits, real)
            for name, loss in losses.ADVERSARIAL.items()
            for real in (True, False)
        },
    }


def metric_values(random: np.random.Generator) -> dict:
    a, b = (random.integers(0, 256, (3, 24, 24, 3), "uint8") for _ in range(2))
    ab_a, ab_b = (random.uniform(-80, 80, (3, 24, 24, 2)).astype("float32") for _ in range(2))
    return {
        "metric: psnr": image.psnr(a, b) / 100,
        "metric: ssim": image.ssim_channels(a, b),
        "metric: ab_mae": image.ab_mae(ab_a, ab_b) / AB_UNIT,
        "metric: ab_psnr": image.ab_psnr(ab_a, ab_b) / 100,
        "metric: pixel_accuracy": image.pixel_accuracy(ab_a, ab_b, 0.05),
        "metric: colorfulness": image.colorfulness(a) / 255,
        "metric: colorfulness_abs": image.colorfulness_abs(a) / 255,
        "metric: ab_entropy": color_bins.ab_entropy(ab_a) / 10,
    }


def generator_values(name: str, arguments: dict) -> dict:
    network = models.build(name, **arguments)
    random = set_weights(network)
    condition = random.uniform(-1, 1, (2, *network.input_shape[1:])).astype("float32")
    values = {f"{name}: prediction": network.predict_on_batch(condition)}
    if name == "unet_maxpool":  # it has batch normalization and no dropout
        values |= gradient_values(name, network, condition, random)
    return values


def discriminator_values() -> dict:
    network = models.build("patchgan", "discriminator", image_size=32, filters=[8, 16, 16, 16])
    random = set_weights(network)
    pair = [random.uniform(-1, 1, (2, *shape[1:])).astype("float32") for shape in network.input_shape]
    return {"patchgan: logits": network.predict_on_batch(pair)}


def set_weights(network: keras.Model) -> np.random.Generator:
    """Give a network weights that do not depend on the backend; return the generator that drew them."""
    random = np.random.default_rng(1)
    for variable in network.variables:
        if "float" in str(variable.dtype):
            drawn = random.normal(0, 0.05, variable.shape)
            kind = variable.path.rpartition("/")[2]
            variable.assign(1 + np.abs(drawn) if kind in ("gamma", "moving_variance") else drawn)
    return random


def gradient_values(name: str, network: keras.Model, condition: np.ndarray, random: np.random.Generator) -> dict:
    """One training step without an optimizer: the loss, its gradient for every weight, the new moving statistics."""
    target = random.uniform(-1, 1, (2, *network.output_shape[1:])).astype("float32")
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = ops.mean(losses.l1(target, network(condition, training=True)))
        gradients = tape.gradient(loss, [weight.value for weight in network.trainable_variables])
    elif backend == "torch":
        loss = ops.mean(losses.l1(target, network(condition, training=True)))
        loss.backward()
        gradients = [weight.value.grad for weight in network.trainable_variables]
    else:
        import jax

        def loss_of(trainable, fixed):
            prediction, fixed = network.stateless_call(trainable, fixed, condition, training=True)
            return ops.mean(losses.l1(target, prediction)), fixed

        start = [
            [weight.value for weight in part] for part in (network.trainable_variables, network.non_trainable_variables)
        ]
        (loss, fixed), gradients = jax.value_and_grad(loss_of, has_aux=True)(*start)
        for variable, value in zip(network.non_trainable_variables, fixed, strict=True):
            variable.assign(value)
    values = {f"{name}: loss": loss}
    values |= {f"{name}: gradient {n}": gradient for n, gradient in enumerate(gradients)}
    moving = [variable for variable in network.non_trainable_variables if "moving" in variable.path]
    assert len(gradients) == len(network.trainable_variables) and moving
    return values | {f"{name}: statistics {n}": variable.value for n, variable in enumerate(moving)}


if __name__ == "__main__":
    main(sys.argv[1])
