"""Keras Colorize: colorization of photographs.

    from keras_colorize import colorize
    rgb = colorize("old.jpg")  # at the photo's own size; `Colorizer` has more settings

    from keras_colorize import Recipe, build_generator
    generator = build_generator(Recipe.load("pix2pix"))  # a keras.Model with fresh weights

Importing this package loads neither TensorFlow nor Keras: each public name is imported at its first use.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from keras_colorize.lazy import LateClass, after_import, import_quietly, lazy_names
from keras_colorize.packages import without_tensorflow

__version__ = "0.1.0"

_HOMES = {
    "ColorizeError": "errors",
    "Colorizer": "inference.colorizer",
    "EarlyStopper": "training.callbacks",
    "FIDMonitor": "training.callbacks",
    "FilmSettings": "video.settings",
    "FolderSettings": "batch.plan",
    "GANTrainer": "training.gan",
    "Hint": "inference.hints",
    "HintSet": "inference.hint_files",
    "PhotoPreviews": "training.callbacks",
    "Recipe": "recipes.schema",
    "ResumableCheckpoint": "training.saver",
    "RunFolder": "runs.folder",
    "SupervisedTrainer": "training.supervised",
    "TimedHint": "inference.hint_files",
    "WeightAveraging": "training.callbacks",
    "build_generator": "models.networks",
    "build_stages": "training.stages",
    "colorize": "inference.colorizer",
    "colorize_film": "video.film",
    "colorize_folder": "batch.folder",
    "get_space": "color.spaces",
    "lab_to_rgb": "color.lab",
    "load_split": "data.scan",
    "open_source": "data.sources",
    "packaged_names": "recipes.zoo",
    "read_hints": "inference.hint_files",
    "rgb_to_lab": "color.lab",
    "write_hints": "inference.hint_files",
    "zoo_names": "recipes.files",
}

# The same names for editors and type checkers, which do not run `lazy_names`.
if TYPE_CHECKING:
    from keras_colorize.batch.folder import colorize_folder
    from keras_colorize.batch.plan import FolderSettings
    from keras_colorize.color.lab import lab_to_rgb, rgb_to_lab
    from keras_colorize.color.spaces import get_space
    from keras_colorize.data.scan import load_split
    from keras_colorize.data.sources import open_source
    from keras_colorize.errors import ColorizeError
    from keras_colorize.inference.colorizer import Colorizer, colorize
    from keras_colorize.inference.hint_files import HintSet, TimedHint, read_hints, write_hints
    from keras_colorize.inference.hints import Hint
    from keras_colorize.models.networks import build_generator
    from keras_colorize.recipes.files import zoo_names
    from keras_colorize.recipes.schema import Recipe
    from keras_colorize.recipes.zoo import packaged_names
    from keras_colorize.runs.folder import RunFolder
    from keras_colorize.training.callbacks import EarlyStopper, FIDMonitor, PhotoPreviews, WeightAveraging
    from keras_colorize.training.gan import GANTrainer
    from keras_colorize.training.saver import ResumableCheckpoint
    from keras_colorize.training.stages import build_stages
    from keras_colorize.training.supervised import SupervisedTrainer
    from keras_colorize.video.film import colorize_film
    from keras_colorize.video.settings import FilmSettings

__all__ = [
    "ColorizeError",
    "Colorizer",
    "EarlyStopper",
    "FIDMonitor",
    "FilmSettings",
    "FolderSettings",
    "GANTrainer",
    "Hint",
    "HintSet",
    "PhotoPreviews",
    "Recipe",
    "ResumableCheckpoint",
    "RunFolder",
    "SupervisedTrainer",
    "TimedHint",
    "WeightAveraging",
    "__version__",
    "build_generator",
    "build_stages",
    "colorize",
    "colorize_film",
    "colorize_folder",
    "get_space",
    "lab_to_rgb",
    "load_split",
    "open_source",
    "packaged_names",
    "read_hints",
    "rgb_to_lab",
    "write_hints",
    "zoo_names",
]

_import_name, __dir__ = lazy_names(__name__, _HOMES)


def __getattr__(name: str) -> object:
    try:
        return _import_name(name)
    except ImportError as error:
        raise without_tensorflow(error, f"keras_colorize.{name}") or error from None


# Classes in saved models whose modules are imported only when a model has them.
_SAVED = {
    "Adam": "training.optimizers",
    "GANTrainer": "training.gan",
    "PhotoModel": "inference.photo_model",
    "SupervisedTrainer": "training.supervised",
    "WarmupAndDecay": "training.schedules",
}


def _register() -> None:
    """Register the classes of saved models, which Keras needs to load them. Importing those of layers does so."""
    import_module("keras_colorize.models")
    classes = import_module("keras").saving.get_custom_objects()
    for name, module in _SAVED.items():
        classes[f"keras_colorize>{name}"] = LateClass(f"keras_colorize.{module}", name)


after_import("keras", _register)

# TensorFlow announces itself in some lines, two of which no variable turns off. A level of one's own shows them all.
if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
    import_quietly("tensorflow")
