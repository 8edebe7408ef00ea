"""Keras Colorize: colorization of photographs.

Importing this package loads neither TensorFlow nor Keras; the names below are imported at first use.

    from keras_colorize import colorize
    rgb = colorize("old.jpg")  # at the photo's own size; `Colorizer` has all that can be set

    from keras_colorize import Recipe, build_generator
    generator = build_generator(Recipe.load("pix2pix"))
"""

from keras_colorize.lazy import lazy_names

__version__ = "0.1.0"

_HOMES = {
    "ColorizeError": "errors",
    "Colorizer": "inference.colorizer",
    "GANTrainer": "training",
    "Recipe": "recipes",
    "RunFolder": "runs.folder",
    "SupervisedTrainer": "training",
    "build_generator": "models.networks",
    "build_stages": "training",
    "colorize": "inference.colorizer",
    "colorize_folder": "batch.folder",
    "get_space": "color.spaces",
    "lab_to_rgb": "color.lab",
    "load_split": "data.batches",
    "open_source": "data",
    "rgb_to_lab": "color.lab",
    "zoo_names": "recipes",
}

__all__ = ["__version__", *_HOMES]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
