"""A recipe becomes networks, optimizers and a compiled trainer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from keras_colorize import architectures
from keras_colorize.backbones import vgg_features
from keras_colorize.hardware import resolve_jit, resolve_precision
from keras_colorize.recipe import Network, Optimizer, Recipe
from keras_colorize.registry import Kind
from keras_colorize.spaces import get_space
from keras_colorize.training.gan import GANTrainer
from keras_colorize.training.supervised import SupervisedTrainer


@dataclass(frozen=True)
class Stage:
    """A part of the schedule: so many epochs of one trainer."""

    name: str
    trainer: SupervisedTrainer
    epochs: int


def build_generator(recipe: Recipe, *, image_size: int | None, precision: str = "float32") -> keras.Model:
    """The recipe's generator, with fresh weights, for square photos of `image_size` pixels (None: any size)."""
    return _build(recipe, recipe.generator, "generator", image_size, precision)


def build_discriminator(recipe: Recipe, *, image_size: int | None, precision: str = "float32") -> keras.Model | None:
    """The recipe's discriminator, with fresh weights, or None where it has none."""
    if recipe.discriminator is None:
        return None
    return _build(recipe, recipe.discriminator, "discriminator", image_size, precision)


def build_stages(recipe: Recipe) -> list[Stage]:
    """A recipe's schedule, compiled and seeded: the generator alone where it is pretrained, then the main stage.

    All stages share the generator. The main stage, always the last, has a `GANTrainer` where the recipe has a
    discriminator. Seeds Python's, NumPy's and TensorFlow's global generators, so that weights are the recipe's own.

    Raises:
        ColorizeError: a name, an argument or a size does not fit, or weights of a backbone cannot be had.
    """
    keras.utils.set_random_seed(recipe.runtime.seed)
    jit = resolve_jit(recipe.runtime.jit)
    on_cpu = not tf.config.list_physical_devices("GPU")
    options: dict[str, Any] = {
        "space": get_space(recipe.space),
        "augment": recipe.augment,
        "loss": recipe.loss,
        "seed": recipe.runtime.seed,
        "jit_color": on_cpu and not jit and recipe.runtime.jit != "off",
    }
    size, precision = recipe.data.image_size, resolve_precision(recipe.runtime.precision)
    generator = build_generator(recipe, image_size=size, precision=precision)
    features = None
    if recipe.loss.perceptual_weight:
        with dtype_policy(precision):
            features = vgg_features(recipe.backbone_weights)
        options["perceptual_features"] = features

    epochs, optimizer = recipe.schedule.epochs, build_optimizer(recipe.optimizer)
    discriminator = build_discriminator(recipe, image_size=size, precision=precision)
    if discriminator is None:
        trainer = SupervisedTrainer(generator, **options)
        trainer.compile(optimizer, jit_compile=jit)
        return [Stage("train", trainer, epochs)]

    gan = GANTrainer(generator, discriminator, discriminator_every=recipe.schedule.discriminator_every, **options)
    gan.compile(optimizer, build_optimizer(recipe.discriminator_optimizer or recipe.optimizer), jit_compile=jit)
    if recipe.pretrain.epochs == 0:
        return [Stage("train", gan, epochs)]
    alone = SupervisedTrainer(generator, **options)
    alone.compile(keras.optimizers.Adam(recipe.pretrain.learning_rate, recipe.pretrain.beta_1), jit_compile=jit)
    return [Stage("pretrain", alone, recipe.pretrain.epochs), Stage("train", gan, epochs)]


def _build(recipe: Recipe, network: Network, kind: Kind, image_size: int | None, precision: str) -> keras.Model:
    space = get_space(recipe.space)
    args = dict(network.args)
    if "backbone_weights" in architectures.arguments(network.name, kind):
        args.setdefault("backbone_weights", recipe.backbone_weights)
    with dtype_policy(precision):
        return architectures.build(
            network.name,
            kind,
            image_size=image_size,
            condition_channels=space.condition_channels,
            target_channels=space.target_channels,
            **args,
        )


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
