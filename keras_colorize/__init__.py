"""Keras Colorize: colorization of photographs.

    from keras_colorize import colorize
    rgb = colorize("old.jpg")  # at the photo's own size; `Colorizer` has more settings

    from keras_colorize import Recipe, build_generator
    generator = build_generator(Recipe.load("pix2pix"))  # a keras.Model with fresh weights

Importing this package loads neither TensorFlow nor Keras: each public name is imported at its first use.
"""

import os
from importlib import import_module

from keras_colorize.lazy import after_import, import_quietly, lazy_names

__version__ = "0.1.0"

_HOMES = {
    "ColorizeError": "errors",
    "Colorizer": "inference.colorizer",
    "FolderSettings": "batch.plan",
    "GANTrainer": "training.gan",
    "Hint": "inference.hints",
    "Recipe": "recipes.schema",
    "RunFolder": "runs.folder",
    "SupervisedTrainer": "training.supervised",
    "build_generator": "models.networks",
    "build_stages": "training.stages",
    "colorize": "inference.colorizer",
    "colorize_folder": "batch.folder",
    "get_space": "color.spaces",
    "lab_to_rgb": "color.lab",
    "load_split": "data.scan",
    "open_source": "data.sources",
    "packaged_names": "recipes.zoo",
    "rgb_to_lab": "color.lab",
    "zoo_names": "recipes.files",
}

__all__ = ["__version__", *_HOMES]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

# Keras loads a saved model only where the classes of its layers are registered, which importing them does.
after_import("keras", lambda: import_module("keras_colorize.models"))

# TensorFlow announces itself in some lines, two of which no variable turns off. A level of one's own shows them all.
if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
    import_quietly("tensorflow")
