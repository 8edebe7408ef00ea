"""A trained system that colorizes photos of any size."""

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import space_of
from keras_colorize.color.vividness import check_vividness
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.errors import ColorizeError
from keras_colorize.images import Picture, read_pictures, to_8_bits
from keras_colorize.images.pixels import from_image
from keras_colorize.inference.frame import Frame, frame_photo
from keras_colorize.inference.hints import Hint
from keras_colorize.inference.network import finish_photo, finish_photos, finite, predict_frames
from keras_colorize.models.layers import StochasticDropout, keep_dropout_on
from keras_colorize.models.networks import build_generator
from keras_colorize.models.weights import load_packaged, load_weights_file
from keras_colorize.recipes import Recipe, packaged_sha256
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.generator import load_generator

# What a photo may be in Python.
Photo = str | os.PathLike[str] | Image.Image | np.ndarray | Picture


class Colorizer:
    """A generator with its recipe, ready for photos.

    `from_zoo`, `from_run` and `from_file` make one. It may be used from several threads at once.

    Args:
        generator: float32, with trained weights, for squares of the recipe's `data.image_size`.
        recipe: what it was trained with.

    Attributes:
        generator: as given; dropout is off in it.
        recipe: as given.
        space: what the network sees and predicts.
        image_size: side in pixels at which the network was trained and works.
        name: of the recipe.
        multiple: of which both sides of the network's input must be; None where it takes squares of `image_size` only.
    """

    def __init__(self, generator: keras.Model, recipe: Recipe) -> None:
        self.generator = generator
        self.recipe = recipe
        self.space = space_of(recipe)
        self.image_size = recipe.data.image_size
        self.name = recipe.name or generator.name
        self.multiple = _side_multiple(generator, self.image_size)
        self._predict = self._graphs(generator)
        self._sampling = threading.Lock()

    @classmethod
    def from_zoo(cls, name: str = DEFAULT_MODEL) -> "Colorizer":
        """A system of the zoo with the weights that the package has for it.

        Raises:
            ColorizeError: no such system, or it comes without weights.
        """
        recipe = Recipe.load(name).with_values(backbone_weights="random")
        packaged_sha256(name)  # complains before a large network is built
        generator = build_generator(recipe)
        load_packaged(name, generator)
        return cls(generator, recipe)

    @classmethod
    def from_run(cls, folder: str | Path) -> "Colorizer":
        """What a run has trained.

        Raises:
            ColorizeError: no run folder, or the run has no weights yet.
        """
        run = RunFolder.open(folder)
        recipe = run.recipe()
        return cls(load_generator(run, replace(recipe, stochastic=False)), recipe)

    @classmethod
    def from_file(cls, weights: str | Path, recipe: str | Path | Recipe | None = None) -> "Colorizer":
        """A file of weights: a run's `.weights.h5`, one that `convert` wrote, or a packed `.npz`.

        Args:
            weights: the file.
            recipe: of the network that they are for: a system of the zoo, a TOML file, or a recipe. By default the
                `recipe.toml` beside the weights.

        Raises:
            ColorizeError: no such file, no recipe, or weights that do not fit it.
        """
        file = Path(weights)
        if recipe is None:
            recipe = RunFolder(file.parent).recipe_file
            if not recipe.is_file():
                raise ColorizeError(
                    f"'{file}' has no {recipe.name} beside it: say which model it is for, such as pix2pix or my.toml"
                )
        if not isinstance(recipe, Recipe):
            recipe = Recipe.load(recipe)
        # A backbone's weights are in the file too: nothing needs to be fetched for them to be overwritten.
        recipe = recipe.with_values(backbone_weights="random")
        generator = build_generator(recipe)
        load_weights_file(generator, file)
        return cls(generator, recipe)

    @property
    def stochastic(self) -> bool:
        """Whether the network has dropout, so that `samples` can differ."""
        return any(isinstance(layer, keras.layers.Dropout) and layer.rate > 0 for layer in self.generator.layers)

    def __call__(self, image: Photo, *, vividness: float = 1.0, edges: bool = True, hints: Sequence[Hint] = ()) -> Any:
        """Colorize a photo at its own size; whatever colour it has counts as lightness only.

        Args:
            image: a path; a Pillow image; a `Picture`; or an array (H, W), (H, W, 1) or (H, W, 3), uint8, uint16, or
                floats in [0, 1].
            vividness: 1 is the system's own, 0 grey, above 1 stronger; up to 10.
            edges: let chroma follow the photo's edges. Without, it is enlarged bilinearly.
            hints: colours at places of the photo, for a network that takes them.

        Returns:
            rgb (H, W, 3) of the photo's type for an array or a path (of a file with pages, the first; upright); a
            Pillow image, "RGB" or with transparency "RGBA", for a Pillow image; a `Picture` for a `Picture`.

        Raises:
            ColorizeError: the photo is of another kind, shape or type, is empty, holds NaN, or floats outside [0, 1];
                `vividness` is out of range; or hints lie outside the photo or the network takes none.
        """
        check_vividness(vividness)
        pixels, finish = _opened(image)
        frame = self.frame(pixels, hints)
        return finish(self.finish(pixels, frame, self.predict([frame], vividness)[0], edges))

    def colorize_pictures(
        self, pictures: Sequence[Picture], *, vividness: float = 1.0, edges: bool = True
    ) -> list[Picture]:
        """Colorize several photos, those of one shape in one call of the network; transparency and metadata stay."""
        check_vividness(vividness)
        frames = [self.frame(picture.pixels) for picture in pictures]
        photos = [picture.pixels for picture in pictures]
        colored = finish_photos(photos, frames, self.predict(frames, vividness), edges)
        return [replace(picture, pixels=rgb) for picture, rgb in zip(pictures, colored, strict=True)]

    def samples(
        self, image: Photo, count: int, *, seed: int = 0, vividness: float = 1.0, edges: bool = True
    ) -> Iterator[Any]:
        """Different colorizations of one photo, by dropout that stays on (Isola et al. 2017, section 3.2).

        Args:
            image, vividness, edges: as in a call.
            count: how many, at least 1.
            seed: at least 0. Sample n of a seed is the same whatever the count.

        Yields:
            What a call returns, `count` times.

        Raises:
            ColorizeError: the network has no dropout, or as in a call; before the first sample.
        """
        check_vividness(vividness)
        if count < 1 or seed < 0:
            raise ColorizeError(f"{count} samples of seed {seed}: expected at least 1 sample and a seed of 0 or more")
        self.check_stochastic()
        pixels, finish = _opened(image)
        frame = self.frame(pixels)
        return (
            finish(self.finish(pixels, frame, self.predict_sample(frame, number, seed, vividness), edges))
            for number in range(count)
        )

    def check_stochastic(self) -> None:
        """Refuse to sample from a network without dropout.

        Raises:
            ColorizeError: it has none.
        """
        if not self.stochastic:
            raise ColorizeError(
                f"'{self.name}' has no dropout, so all its samples would be the same: use one sample, or a model with "
                "dropout such as pix2pix"
            )

    # The steps of a call, for those who overlap them.

    def frame(self, pixels: np.ndarray, hints: Sequence[Hint] = ()) -> Frame:
        """Make a network's frame of a photo (H, W) or (H, W, 3), uint8, uint16 or float32 in [0, 1].

        Raises:
            ColorizeError: a hint lies outside the photo, or the network takes none.
        """
        if hints and not self.space.takes_hints:
            raise ColorizeError(f"'{self.name}' takes no hints: use a model that does, or leave them out")
        return frame_photo(pixels, self.image_size, self.multiple, hints)

    def predict(self, frames: Sequence[Frame], vividness: float = 1.0) -> list[np.ndarray]:
        """Chroma ab (h, w, 2) in CIE units for each frame, at its size; frames of one shape share a call."""
        return predict_frames(frames, lambda inputs: self.predict_ab(inputs, vividness))

    def predict_ab(self, inputs: Inputs, vividness: float = 1.0) -> np.ndarray:
        """Inputs (B, h, w, …), sides in multiples of `multiple` → ab (B, h, w, 2) in CIE units."""
        return finite(self._predict(inputs, vividness))

    def predict_sample(self, frame: Frame, number: int, seed: int = 0, vividness: float = 1.0) -> np.ndarray:
        """Chroma (h, w, 2) of one of the colorizations that `samples` yields."""
        network, predict = self._sampler
        with self._sampling:  # the generators of dropout's noise are variables
            dropouts = [layer for layer in network.layers if isinstance(layer, StochasticDropout)]
            states = np.random.SeedSequence([seed, number]).generate_state(2 * len(dropouts)).reshape(-1, 2)
            for layer, state in zip(dropouts, states, strict=True):
                layer.seed_generator.state.assign(state)
            return finite(predict(Inputs.stack([frame.inputs]), vividness))[0]

    def finish(self, pixels: np.ndarray, frame: Frame, ab: np.ndarray, edges: bool = True) -> np.ndarray:
        """The photo's own lightness with the frame's chroma, at the photo's size: rgb (H, W, 3) of its type."""
        return finish_photo(pixels, frame, ab, edges)

    @functools.cached_property
    def _sampler(self) -> tuple[keras.Model, Any]:
        network = keep_dropout_on(self.generator)
        return network, self._graphs(network)

    def _graphs(self, network: keras.Model) -> Callable[[Inputs, float], Any]:
        """The network as graphs, one for each shape and for batches of any length: (inputs, vividness) → ab.

        A graph for any shape is out of reach: `keras.ops.image.resize` and DeepLab want to know the size.
        """
        network = network if self.multiple is None else over_size(network, None, None)

        def predict(inputs: Inputs, vividness: Any) -> Any:
            prediction = network(self.space.condition(inputs), training=False)
            return self.space.chroma(inputs, prediction, vividness)

        @functools.lru_cache(maxsize=64)
        def graph(shapes: Inputs) -> Any:
            specs = shapes.map(lambda shape: tf.TensorSpec((None, *shape), tf.float32))
            return tf.function(predict, autograph=False).get_concrete_function(specs, tf.TensorSpec((), tf.float32))

        def call(inputs: Inputs, vividness: float) -> Any:
            traced = graph(inputs.map(lambda field: tuple(field.shape[1:])))
            return traced(inputs.map(lambda field: tf.constant(field, tf.float32)), tf.constant(vividness, tf.float32))

        return call


def colorize(image: Photo, *, vividness: float = 1.0, edges: bool = True) -> Any:
    """Colorize one photo with the packaged default system, `vivid`: see `Colorizer.__call__`."""
    return _default()(image, vividness=vividness, edges=edges)


@functools.cache
def _default() -> Colorizer:
    return Colorizer.from_zoo(DEFAULT_MODEL)


# What is left of a colorizer where another program has the network.


def over_size(network: keras.Model, height: int | None, width: int | None) -> keras.Model:
    """The same layers and weights over an input of another size, or with None of any size.

    Raises:
        ValueError: the layers do not fit together at that size.
    """

    def call(layer: keras.Layer, inputs: Any, **kwargs: Any) -> Any:
        if isinstance(inputs, (list, tuple)) and isinstance(layer, _JOINING):  # built layers do not check this
            for sides in zip(*(tensor.shape[1:3] for tensor in inputs), strict=True):
                if len(set(sides) - {1}) > 1:
                    raise ValueError(f"{layer.name} joins maps with sides of {sides}")
        return layer(inputs, **kwargs)

    condition = keras.Input((height, width, network.input_shape[-1]), name="condition")
    return keras.models.clone_model(
        network, input_tensors=condition, clone_function=lambda layer: layer, call_function=call
    )


_JOINING = (keras.layers.Concatenate, keras.layers.Add, keras.layers.Multiply, keras.layers.Average)


def _side_multiple(network: keras.Model, size: int) -> int | None:
    """By how many pixels the width may grow, about an eighth of `size` or more; None where it must stay.

    A network that halves its maps n times may grow by multiples of 2ⁿ. That is found by asking the layers: skips that
    no longer meet, dense layers that no longer fit, and pictures of another size than the condition say no. Steps of an
    eighth leave few shapes, so that photos of almost the same shape share a call of the network.
    """
    multiple = 1
    while multiple < size:
        if size % multiple == 0 and _fits(network, size, size + multiple):
            while 8 * multiple < size:
                multiple *= 2
            return multiple
        multiple *= 2
    return None


def _fits(network: keras.Model, height: int, width: int) -> bool:
    try:
        rows, columns = over_size(network, height, width).output_shape[1:3]
    except (ValueError, TypeError):
        return False
    return rows * width == columns * height


def _opened(image: Any) -> tuple[np.ndarray, Any]:
    """A photo's pixels, (H, W) or (H, W, 3), and what makes the result of the kind that came."""
    if isinstance(image, Picture):
        return image.pixels, lambda rgb: replace(image, pixels=rgb)
    if isinstance(image, (str, os.PathLike)):
        return next(read_pictures(image)).pixels, lambda rgb: rgb
    if isinstance(image, Image.Image):
        if 0 in image.size:
            raise ColorizeError(f"the image is empty: {image.width}×{image.height} pixels")
        try:
            image.load()
        except Exception as error:  # a damaged file can raise anything
            raise ColorizeError(f"the image does not decode ({' '.join(str(error).split())})") from error
        picture = from_image(image, image.info.get("icc_profile"), orientation=1)
        return picture.pixels, lambda rgb: _to_image(rgb, picture.alpha)
    if isinstance(image, np.ndarray):
        return _checked(image), lambda rgb: rgb.astype(image.dtype, copy=False)
    raise ColorizeError(
        f"a photo cannot be {type(image).__name__}: expected a path, a Pillow image, a Picture or a NumPy array"
    )


def _checked(pixels: np.ndarray) -> np.ndarray:
    """An array as pixels: one channel as (H, W), floats as float32."""
    shape, dtype = pixels.shape, pixels.dtype
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise ColorizeError(f"the photo has shape {shape}: expected (H, W), (H, W, 1) or (H, W, 3)")
    if 0 in shape:
        raise ColorizeError(f"the photo is empty: it has shape {shape}")
    pixels = pixels[..., 0] if shape[2:] == (1,) else pixels
    if dtype.kind == "u" and dtype.itemsize <= 2:
        return pixels.astype(dtype.newbyteorder("="), copy=False)
    if dtype.kind != "f":
        raise ColorizeError(f"the photo holds {dtype}: expected uint8, uint16, or floats in [0, 1]")
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite([low, high]).all():  # NaN anywhere makes both NaN
        raise ColorizeError("the photo holds values that are no finite numbers: expected floats in [0, 1]")
    if low < 0 or high > 1:
        raise ColorizeError(f"the photo holds floats from {low:g} to {high:g}: expected [0, 1]; divide by its white")
    return pixels.astype(np.float32, copy=False)


def _to_image(rgb: np.ndarray, alpha: np.ndarray | None) -> Image.Image:
    """Pillow has no RGB of 16 bits: 8 are kept."""
    return Image.fromarray(to_8_bits(rgb if alpha is None else np.dstack([rgb, alpha])))
