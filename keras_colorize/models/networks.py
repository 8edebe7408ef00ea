"""The generator and the discriminator of a recipe, with fresh weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import keras

from keras_colorize.color.spaces import space_of
from keras_colorize.models import registry
from keras_colorize.recipes import Network, Recipe

# "recipe" stands for `data.image_size` of the recipe, None for a network that takes photos of any size.
ImageSize = int | Literal["recipe"] | None


def build_generator(
    recipe: Recipe, *, image_size: ImageSize = "recipe", precision: str = "float32", values: bool = True
) -> keras.Model:
    """Build the recipe's generator with fresh weights.

    Args:
        recipe: names the architecture, its arguments and the space.
        image_size: side of the square photos in pixels; by default the recipe's own, None for any size.
        precision: "float32", or "bfloat16" for bfloat16 arithmetic over float32 weights.
        values: otherwise kernels are zeros in architectures with the argument `init`, for weights that are loaded next.
            Drawing random ones takes some tenths of a second.

    Returns:
        A functional model from `condition` (B, S, S, C) to `prediction` (B, S, S, T), float32; the recipe's space
        decides C and T.

    Raises:
        ColorizeError: the architecture or one of its arguments does not exist, the size does not fit, or pretrained
            weights cannot be had.
    """
    return _build(recipe, recipe.generator, "generator", image_size, precision, values)


def build_discriminator(
    recipe: Recipe, *, image_size: ImageSize = "recipe", precision: str = "float32"
) -> keras.Model | None:
    """Build the recipe's discriminator with fresh weights, or return None where the recipe has none.

    Arguments and errors are those of `build_generator`, without `values`; the model takes `[condition, target]` and
    returns logits.
    """
    if recipe.discriminator is None:
        return None
    return _build(recipe, recipe.discriminator, "discriminator", image_size, precision)


def _build(
    recipe: Recipe,
    network: Network,
    kind: registry.Kind,
    image_size: ImageSize,
    precision: str,
    values: bool = True,
) -> keras.Model:
    space = space_of(recipe)
    args = dict(network.args)
    known = registry.arguments(network.name, kind)
    if not values and "init" in known:
        args["init"] = "zeros"
    if "backbone_weights" in known:
        # An encoder that starts from a file needs no other weights: training puts those of the file into it.
        weights = "random" if recipe.encoder_weights else recipe.backbone_weights
        args.setdefault("backbone_weights", weights)
    with dtype_policy(precision):
        return registry.build(
            network.name,
            kind,
            image_size=recipe.data.image_size if image_size == "recipe" else image_size,
            condition_channels=space.condition_channels,
            target_channels=space.target_channels,
            **args,
        )


@contextmanager
def dtype_policy(precision: str) -> Iterator[None]:
    """Build layers in float32, or with bfloat16 arithmetic over float32 weights, and restore Keras' policy after."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
