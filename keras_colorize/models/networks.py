"""A recipe's networks: the generator and the discriminator that it names, with fresh weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from keras_colorize import models
from keras_colorize.color.spaces import space_of
from keras_colorize.models.registry import Kind
from keras_colorize.recipes import Network, Recipe


def build_generator(recipe: Recipe, *, image_size: int | None, precision: str = "float32") -> keras.Model:
    """The recipe's generator, with fresh weights, for square photos of `image_size` pixels (None: any size)."""
    return _build(recipe, recipe.generator, "generator", image_size, precision)


def build_discriminator(recipe: Recipe, *, image_size: int | None, precision: str = "float32") -> keras.Model | None:
    """The recipe's discriminator, with fresh weights, or None where it has none."""
    if recipe.discriminator is None:
        return None
    return _build(recipe, recipe.discriminator, "discriminator", image_size, precision)


def _build(recipe: Recipe, network: Network, kind: Kind, image_size: int | None, precision: str) -> keras.Model:
    space = space_of(recipe)
    args = dict(network.args)
    if "backbone_weights" in models.arguments(network.name, kind):
        args.setdefault("backbone_weights", recipe.backbone_weights)
    with dtype_policy(precision):
        return models.build(
            network.name,
            kind,
            image_size=image_size,
            condition_channels=space.condition_channels,
            target_channels=space.target_channels,
            **args,
        )


@contextmanager
def dtype_policy(precision: str) -> Iterator[None]:
    """Build layers in `float32`, or with bfloat16 arithmetic over float32 weights; the global policy is put back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
