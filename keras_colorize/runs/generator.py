"""The trained generator of a run."""

import keras

from keras_colorize.models.layers import keep_dropout_on
from keras_colorize.models.networks import build_generator
from keras_colorize.models.weights import load_weights
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder


def load_generator(folder: RunFolder, recipe: Recipe) -> keras.Model:
    """Build a run's generator in float32 and load its trained weights; dropout stays on where the recipe is stochastic.

    Args:
        folder: the run.
        recipe: the run's, with any values replaced that do not change the network.

    Raises:
        ColorizeError: the run has no weights yet, or they are damaged or do not fit the recipe.
    """
    folder.check_weights()
    # The file holds a backbone's weights too, so a backbone starts from random ones and nothing is downloaded.
    recipe = recipe.with_values(backbone_weights="random")
    generator = build_generator(recipe, values=False)
    load_weights(generator, folder.generator_weights)
    return keep_dropout_on(generator) if recipe.stochastic else generator
