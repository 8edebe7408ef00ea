"""The weights that a generator starts to train from."""

from pathlib import Path

import keras

from keras_colorize import models
from keras_colorize.models.weights import load_packaged, load_weights_file
from keras_colorize.recipes import Recipe


def load_initial_weights(generator: keras.Model, recipe: Recipe) -> str:
    """Load the weights that `recipe.initial_weights` names into a new generator.

    Returns:
        A few words for the header: where the weights come from.

    Raises:
        ColorizeError: the file does not exist, the package has no weights for the system, or the weights are of
            another network.
    """
    if recipe.initial_weights == "zoo":
        load_packaged(recipe.name, generator)
        return f"packaged weights of {recipe.name}"
    if recipe.initial_weights:
        load_weights_file(generator, Path(recipe.initial_weights))
        return recipe.initial_weights
    network = recipe.generator
    takes = "backbone_weights" in models.arguments(network.name, "generator")
    if takes and network.args.get("backbone_weights", recipe.backbone_weights) == "pretrained":
        return f"pretrained backbone, the rest fresh (seed {recipe.runtime.seed})"
    return f"fresh weights (seed {recipe.runtime.seed})"
