"""A whole system as one Keras model: photos in, the same photos in colour out."""

import functools
import tomllib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_colorize.color.spaces import space_of
from keras_colorize.color.vividness import check_vividness
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.finish import finish_photos
from keras_colorize.inference.frame import frame_photo
from keras_colorize.inference.graph import ColorGraph
from keras_colorize.inference.keras_network import KerasNetwork
from keras_colorize.inference.network import predict_frames
from keras_colorize.inference.photos import open_photos
from keras_colorize.recipes import Recipe
from keras_colorize.tensor import Tensor


@keras.saving.register_keras_serializable(package="keras_colorize")
class PhotoModel(keras.Model):
    """A photo in, the same photo in colour out, with frame, network and finish inside: `Colorizer.to_keras` makes one.

    Photos are (B, H, W, 1 or 3), uint8, or floats in [0, 1]. The result is (B, H, W, 3): uint8, or float32 in [0, 1].
    Of a photo's colours only lightness is used.

    Called with arrays, and by `predict`, the model computes what the Colorizer computes, bit for bit. Within a graph,
    such as `tf.function`, a functional model or `export`, it computes the same with TensorFlow's operators
    (`inference.graph`), to about one grey level on average. It does not train: its weights are frozen, and no
    gradient flows through it outside graphs.

    Args:
        generator: float32, with trained weights. The model owns it.
        recipe: of its training.
        vividness: strength of the colours, 0 to 10; 1 is the system's own.
        name: of the model; by default the recipe's.

    Raises:
        ColorizeError: `vividness` is out of range.
    """

    def __init__(self, generator: keras.Model, recipe: Recipe, vividness: float = 1.0, name: str | None = None) -> None:
        super().__init__(name=name or recipe.name or None, dtype="float32")
        check_vividness(vividness)
        self.generator = generator
        self.recipe = recipe
        self.vividness = vividness
        self.space = space_of(recipe)
        self.image_size = recipe.data.image_size
        network = KerasNetwork(generator, self.space, self.image_size)
        self.multiple = network.multiple
        self._predict_ab = network.predict_ab
        self._graph = functools.cache(lambda: _built_outside(self))
        self.trainable = False
        self.run_eagerly = True  # for `predict`
        self.built = True

    @classmethod
    def copy_of(cls, generator: keras.Model, recipe: Recipe, vividness: float = 1.0) -> "PhotoModel":
        """Make a model with a copy of a generator; the arguments and errors are those of the class."""
        copy = keras.models.clone_model(generator)
        copy.set_weights(generator.get_weights())
        return cls(copy, recipe, vividness)

    def call(self, image: Tensor) -> Tensor:
        """Colorize photos (B, H, W, 1 or 3): (B, H, W, 3).

        Raises:
            ColorizeError: they have another shape or type, or outside graphs: floats beyond [0, 1].
        """
        dtype = _checked_dtype(image)
        if tf.is_symbolic_tensor(image):
            rgb = tf.tile(image, (1, 1, 1, 3)) if image.shape[3] == 1 else image
            graph = self._graph()
            return graph.colorize_in_strips(rgb) if dtype == "uint8" else graph.colorize_floats(rgb)
        photos = open_photos(np.asarray(image))
        frames = [frame_photo(pixels, self.image_size, self.multiple) for pixels in photos.pixels]
        chromas = predict_frames(frames, lambda inputs: self._predict_ab(inputs, self.vividness))
        return tf.constant(photos.result(finish_photos(photos.pixels, frames, chromas)))

    def compute_output_spec(self, image: Tensor) -> keras.KerasTensor:
        """Tell shape and type of the result without computing it."""
        return keras.KerasTensor((*image.shape[:3], 3), dtype=_checked_dtype(image))

    def get_config(self) -> dict[str, object]:
        """Return all that `from_config` needs: the generator's own configuration, the recipe and the vividness."""
        return {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "recipe": self.recipe.to_toml(),
            "vividness": self.vividness,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, type] | None = None) -> "PhotoModel":
        """Make a model with fresh weights from the result of `get_config`."""
        generator = keras.saving.deserialize_keras_object(config["generator"], custom_objects=custom_objects)
        recipe = Recipe.from_dict(tomllib.loads(config["recipe"]))
        return cls(generator, recipe, config["vividness"], config["name"])


def _built_outside(model: PhotoModel) -> ColorGraph:
    """Build the graph of a model, also while another graph is being traced."""
    with tf.init_scope():
        return ColorGraph(model, model.vividness)


def _checked_dtype(image: Tensor) -> str:
    """Return the type of the result for photos of a shape and type.

    Raises:
        ColorizeError: they are none.
    """
    shape, dtype = tuple(image.shape), keras.backend.standardize_dtype(image.dtype)
    if len(shape) != 4 or shape[3] not in (1, 3):
        raise ColorizeError(f"the photos have shape {shape}: expected (B, H, W, 1) or (B, H, W, 3)")
    if dtype != "uint8" and not dtype.startswith("float"):
        raise ColorizeError(f"the photos hold {dtype}: expected uint8, or floats in [0, 1]")
    return "uint8" if dtype == "uint8" else "float32"
