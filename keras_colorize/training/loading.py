"""What a run reads: photos by its recipe, its trained generator."""

from pathlib import Path

import keras
from rich.console import Console

from keras_colorize.data import Source, Split, open_source
from keras_colorize.data.batches import PhotoSet, load_split
from keras_colorize.errors import ColorizeError
from keras_colorize.models.layers import keep_dropout_on
from keras_colorize.models.networks import build_generator
from keras_colorize.models.weights import PACKED_SUFFIX, load_packaged, load_weights, unpack_weights
from keras_colorize.recipes import Recipe
from keras_colorize.runs.console import counting_progress
from keras_colorize.runs.folder import RunFolder


def open_photos(recipe: Recipe) -> Source:
    """The recipe's photos, listed and split, none decoded yet."""
    data = recipe.data
    return open_source(data.source, validation_fraction=data.validation_fraction, test_fraction=data.test_fraction)


def load_photos(
    source: Source, recipe: Recipe, split: Split, console: Console, limit: int | None, margin: int = 0
) -> PhotoSet:
    """One split, checked photo by photo with a progress bar.

    Args:
        limit: at most so many photos; None or 0 takes all.
        margin: pixels by which the photos are larger than the recipe's size.
    """
    data = recipe.data
    with counting_progress(console, f"reading {split} photos") as progress:
        return load_split(
            source,
            split,
            image_size=data.image_size + margin,
            resize=data.resize,
            drop_grey=data.drop_grey,
            limit=limit or None,
            memory_limit_bytes=int(data.memory_gib * 2**30),
            progress=progress,
        )


def load_initial_weights(generator: keras.Model, recipe: Recipe) -> None:
    """What `recipe.initial_weights` names, into a generator that is about to train.

    Raises:
        ColorizeError: no such file, no packaged weights of that name, or weights of another network.
    """
    if recipe.initial_weights == "zoo":
        load_packaged(recipe.name, generator)
    elif recipe.initial_weights:
        load_weights_file(generator, Path(recipe.initial_weights))


def load_weights_file(generator: keras.Model, file: Path) -> None:
    """A run's `.weights.h5`, or a packed `.npz`.

    Raises:
        ColorizeError: the file is missing, of another kind, or of another network.
    """
    if not file.is_file():
        raise ColorizeError(f"no weights at '{file}': expected a run's generator.weights.h5 or a packed .npz")
    if file.suffix == PACKED_SUFFIX:
        unpack_weights(generator, file)
    else:
        load_weights(generator, file)


def load_generator(folder: RunFolder, recipe: Recipe) -> keras.Model:
    """The run's generator in float32 with its trained weights; with dropout on where the recipe is stochastic.

    Raises:
        ColorizeError: the run has no weights yet, or they do not fit the recipe.
    """
    if not folder.generator_weights.is_file():
        raise ColorizeError(
            f"{folder} has no {folder.generator_weights.name} yet: let it train to its first checkpoint"
        )
    # A backbone's weights are in the file too: nothing needs to be fetched for them to be overwritten.
    recipe = recipe.with_values(backbone_weights="random")
    generator = build_generator(recipe)
    load_weights(generator, folder.generator_weights)
    return keep_dropout_on(generator) if recipe.stochastic else generator
