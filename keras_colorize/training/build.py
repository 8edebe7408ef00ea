"""A recipe becomes networks, optimizers and a compiled trainer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from keras_colorize import architectures
from keras_colorize.hardware import resolve_jit, resolve_precision
from keras_colorize.recipe import Optimizer, Recipe
from keras_colorize.spaces import get_space
from keras_colorize.training.gan import GANTrainer
from keras_colorize.training.supervised import SupervisedTrainer


def build_generator(recipe: Recipe, *, image_size: int | None, precision: str = "float32") -> keras.Model:
    """The recipe's generator, with fresh weights, for square photos of `image_size` pixels (None: any size)."""
    space = get_space(recipe.space)
    with dtype_policy(precision):
        return architectures.build(
            recipe.generator.name,
            "generator",
            image_size=image_size,
            condition_channels=space.condition_channels,
            target_channels=space.target_channels,
            **recipe.generator.args,
        )


def build_trainer(recipe: Recipe) -> SupervisedTrainer:
    """Networks, losses and optimizers of a recipe, seeded and compiled: a `GANTrainer` where it has a discriminator.

    Seeds Python's, NumPy's and TensorFlow's global generators, so that weights are the recipe's own.
    """
    keras.utils.set_random_seed(recipe.runtime.seed)
    space = get_space(recipe.space)
    precision = resolve_precision(recipe.runtime.precision)
    jit = resolve_jit(recipe.runtime.jit)
    size = recipe.data.image_size
    generator = build_generator(recipe, image_size=size, precision=precision)
    on_cpu = not tf.config.list_physical_devices("GPU")
    jit_color = on_cpu and not jit and recipe.runtime.jit != "off"
    options: dict[str, Any] = {
        "augment": recipe.augment,
        "loss": recipe.loss,
        "seed": recipe.runtime.seed,
        "jit_color": jit_color,
    }
    optimizer = build_optimizer(recipe.optimizer)
    if recipe.discriminator is None:
        trainer = SupervisedTrainer(generator, space, **options)
        trainer.compile(optimizer, jit_compile=jit)
        return trainer
    with dtype_policy(precision):
        discriminator = architectures.build(
            recipe.discriminator.name,
            "discriminator",
            image_size=size,
            condition_channels=space.condition_channels,
            target_channels=space.target_channels,
            **recipe.discriminator.args,
        )
    gan = GANTrainer(
        generator, discriminator, space, discriminator_every=recipe.schedule.discriminator_every, **options
    )
    discriminator_optimizer = build_optimizer(recipe.discriminator_optimizer or recipe.optimizer)
    gan.compile(optimizer, discriminator_optimizer, jit_compile=jit)
    return gan


def build_optimizer(options: Optimizer) -> keras.Optimizer:
    """Adam or SGD as the recipe describes it."""
    common = {"learning_rate": options.learning_rate, "weight_decay": options.weight_decay or None}
    if options.name == "adam":
        return keras.optimizers.Adam(beta_1=options.beta_1, beta_2=options.beta_2, **common)
    return keras.optimizers.SGD(momentum=options.momentum, **common)


@contextmanager
def dtype_policy(precision: str) -> Iterator[None]:
    """Build layers in `float32`, or with bfloat16 arithmetic over float32 weights; the global policy is put back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
