"""What a run reads and writes beside its log: photos by recipe, networks' weights."""

import os
import warnings
from pathlib import Path

import keras
from rich.console import Console

from keras_colorize.data import PhotoSet, load_split
from keras_colorize.errors import ColorizeError
from keras_colorize.recipe import Recipe
from keras_colorize.runs.console import counting_progress
from keras_colorize.runs.folder import RunFolder
from keras_colorize.sources import Source, Split, open_source
from keras_colorize.training import build_generator


def open_photos(recipe: Recipe) -> Source:
    """The recipe's photos, listed and split, none decoded yet."""
    data = recipe.data
    return open_source(data.source, validation_fraction=data.validation_fraction, test_fraction=data.test_fraction)


def load_photos(source: Source, recipe: Recipe, split: Split, console: Console, limit: int | None) -> PhotoSet:
    """One split at the recipe's size, checked photo by photo with a progress bar; `limit` None or 0 takes all."""
    data = recipe.data
    with counting_progress(console, f"reading {split} photos") as progress:
        return load_split(
            source,
            split,
            image_size=data.image_size,
            resize=data.resize,
            drop_grey=data.drop_grey,
            limit=limit or None,
            memory_limit_bytes=int(data.memory_gib * 2**30),
            progress=progress,
        )


def load_generator(folder: RunFolder, recipe: Recipe) -> keras.Model:
    """The run's generator in float32 with its trained weights.

    Raises:
        ColorizeError: the run has no weights yet, or they do not fit the recipe.
    """
    if not folder.generator_weights.is_file():
        raise ColorizeError(f"{folder} has no {folder.generator_weights.name} yet: let it train to its first checkpoint")
    generator = build_generator(recipe, image_size=recipe.data.image_size)
    try:
        with warnings.catch_warnings(action="ignore"):  # about groups that differ: the error says it in one line
            generator.load_weights(folder.generator_weights)
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ColorizeError(f"{folder.generator_weights} does not fit {recipe.generator.name}: {reason}") from error
    return generator


def save_weights(network: keras.Model, file: Path) -> None:
    """Write a network's weights under a temporary name, then rename: a reader never sees half a file."""
    temporary = file.with_name(f"tmp-{file.name}")
    network.save_weights(temporary)
    os.replace(temporary, file)
