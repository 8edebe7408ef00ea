"""A trained system: a network with its recipe, loaded and saved, and the steps that lead a photo through it.

Importing this module loads neither TensorFlow nor Keras; the runtime of a system is loaded with it.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import BinnedLabSpace, space_of
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.errors import ColorizeError
from keras_colorize.inference.finish import finish_photo
from keras_colorize.inference.frame import Frame, frame_photo
from keras_colorize.inference.hint_files import Hints, hints_on
from keras_colorize.inference.litert_network import LiteRTNetwork
from keras_colorize.inference.network import ChromaNetwork, predict_frames
from keras_colorize.inference.network_cache import find_network_file
from keras_colorize.packages import choose_runtime, install
from keras_colorize.recipes import ModelCard, Recipe
from keras_colorize.runs.card import card_text
from keras_colorize.runs.folder import RunFolder, file_sha256, find_model
from keras_colorize.tensor import Tensor

if TYPE_CHECKING:
    import keras

    from keras_colorize.inference.distribution import DistributionNetwork
    from keras_colorize.inference.photo_model import PhotoModel
    from keras_colorize.inference.reference import ReferencePhoto


class TrainedSystem:
    """A generator with its recipe. It may be used from several threads at once.

    Args:
        generator: a Keras model, float32, with trained weights, for squares of the recipe's `data.image_size`; or a
            network in some runtime.
        recipe: of its training.

    Attributes:
        network: the generator in its runtime; dropout is off in it.
        recipe: as given.
        space: the units in which the network sees and predicts.
        image_size: side in pixels at which the network was trained and works.
        name: of the recipe.
        multiple: both sides of the network's input must be multiples of it; None where it takes squares of `image_size`
            only.
    """

    def __init__(self, generator: "keras.Model | ChromaNetwork", recipe: Recipe) -> None:
        self.recipe = recipe
        self.image_size = recipe.data.image_size
        self.name = recipe.name
        if not isinstance(generator, ChromaNetwork):
            from keras_colorize.inference.keras_network import KerasNetwork

            self.name = recipe.name or generator.name
            generator = KerasNetwork(generator, space_of(recipe), self.image_size)
        self.network: ChromaNetwork = generator
        self.space = generator.space
        self.multiple = generator.multiple

    @classmethod
    def from_zoo(cls, name: str = DEFAULT_MODEL, runtime: str = "auto") -> Self:
        """Load a system of the zoo with the weights that the package has for it.

        Args:
            name: of the system; or a folder that `save` wrote, or of a run, which TensorFlow runs.
            runtime: "tensorflow"; "litert", which starts sooner, needs no TensorFlow, and has neither samples nor
                references nor layers; or "auto", which is TensorFlow where it is installed, and LiteRT elsewhere.

        Raises:
            ColorizeError: no such system, folder or runtime, or the system comes without weights.
        """
        found, runtime = find_model(name), choose_runtime(runtime)
        if isinstance(found, RunFolder):
            if runtime == "litert":
                raise ColorizeError(
                    f"LiteRT runs systems of the zoo, and '{name}' is a folder: use {DEFAULT_MODEL}, or TensorFlow"
                    f" ({install('tensorflow')})"
                )
            return cls.from_run(found.path)
        # A backbone's weights are in the file too: nothing needs to be fetched for them to be overwritten.
        recipe = Recipe.load(found).with_values(backbone_weights="random")
        if runtime == "litert":
            return cls(LiteRTNetwork(find_network_file(recipe), recipe), recipe)
        from keras_colorize.inference.keras_network import load_packaged_network

        return cls(load_packaged_network(recipe), recipe)

    @classmethod
    def from_run(cls, folder: str | Path) -> Self:
        """Load the generator that a run has trained.

        Args:
            folder: of the run; or one that `save` wrote, whose checksum is then checked.

        Raises:
            ColorizeError: no run folder, no weights in it yet, or damaged weights.
        """
        run = RunFolder.open(folder)
        recipe = run.recipe()
        choose_runtime("tensorflow")
        from keras_colorize.runs.generator import load_generator

        return cls(load_generator(run, replace(recipe, stochastic=False)), recipe)

    @classmethod
    def from_file(cls, weights: str | Path, recipe: str | Path | Recipe | None = None) -> Self:
        """Load a file of weights: a run's `.weights.h5`, one that `convert` wrote, or a packed `.npz`.

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
        recipe = recipe.with_values(backbone_weights="random")
        choose_runtime("tensorflow")
        from keras_colorize.inference.keras_network import load_network_of_file

        return cls(load_network_of_file(file, recipe), recipe)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a folder that `save` wrote.

        Raises:
            ColorizeError: no such folder, a file is missing in it, or the weights are damaged or of another recipe.
        """
        run = RunFolder.open(folder)
        if not run.sha256():
            raise ColorizeError(
                f"{run.recipe_file} states no checksum: expected a folder that `Colorizer.save` wrote; `from_run` loads"
                " runs"
            )
        return cls.from_run(run.path)

    @property
    def generator(self) -> "keras.Model":
        """The network as a Keras model.

        Raises:
            ColorizeError: another runtime than TensorFlow runs it.
        """
        return self.network.with_keras("the layers of a network").generator

    def save(self, folder: str | Path, *, card: str | None = None) -> Path:
        """Write a folder for others: recipe, weights with their checksum, and a card.

        `load`, `from_run` and `from_zoo` read it. The weights are float32, so that the colours are the same bit for
        bit.

        Args:
            folder: a new or an empty folder.
            card: a page of Markdown about the system, `README.md`. By default it says what the recipe tells.

        Returns:
            The folder.

        Raises:
            ColorizeError: the folder exists and holds something.
        """
        generator = self.generator
        from keras_colorize.models.weights import save_weights

        run = RunFolder.make_empty(folder)
        save_weights(generator, run.generator_weights)
        parameters = generator.count_params()
        text = card_text(self.recipe, parameters) if card is None else card
        run.card_file.write_text(text, encoding="utf-8")
        run.keep_recipe(self.recipe, ModelCard(parameters, sha256=file_sha256(run.generator_weights)))
        return run.path

    def to_keras(self, vividness: float = 1.0) -> "PhotoModel":
        """Return the whole system as one Keras model: photos in, the same photos in colour out.

        The model takes (B, H, W, 1 or 3), uint8 or floats in [0, 1]. It saves as `.keras`, and
        `keras.models.load_model` loads it after `import keras_colorize`. It has a copy of the weights, which are
        frozen.

        Args:
            vividness: built in, 0 to 10; 1 is the system's own.

        Raises:
            ColorizeError: `vividness` is out of range.
        """
        generator = self.generator
        from keras_colorize.inference.photo_model import PhotoModel

        return PhotoModel.copy_of(generator, self.recipe, vividness)

    @property
    def stochastic(self) -> bool:
        """Tell whether the network has dropout, so that `samples` can differ."""
        return self.network.stochastic

    @property
    def draws_versions(self) -> bool:
        """Tell whether `samples` can differ by colours drawn from the distribution that the network predicts."""
        return isinstance(self.space, BinnedLabSpace) and self.space.takes_hints

    def check_takes_reference(self) -> None:
        """Refuse a reference for a network that predicts no distribution of colours, or not in TensorFlow.

        Raises:
            ColorizeError: it does not.
        """
        if not isinstance(self.space, BinnedLabSpace):
            raise ColorizeError(
                f"'{self.name}' predicts no distribution of colours, so it takes no reference: use a model that does,"
                f" such as {DEFAULT_MODEL}, or leave the reference out"
            )
        self.network.with_keras("references")

    def check_samples(self) -> None:
        """Refuse several samples of a network that has one answer for each photo, or does not run in TensorFlow.

        Raises:
            ColorizeError: it has, or does not.
        """
        if not (self.stochastic or self.draws_versions):
            raise ColorizeError(
                f"'{self.name}' has no dropout, and no distribution of colours together with hints, so all its samples"
                " would be the same: use one sample, or another model such as pix2pix"
            )
        self.network.with_keras("several samples")

    def check_takes_hints(self) -> None:
        """Refuse hints for a network that takes none.

        Raises:
            ColorizeError: it takes none.
        """
        if not self.space.takes_hints:
            raise ColorizeError(f"'{self.name}' takes no hints: use a model that does, or leave them out")

    # The steps of a call, for callers that overlap them.

    def frame(self, pixels: np.ndarray, hints: Hints = (), picture: tuple[slice, slice] | None = None) -> Frame:
        """Frame a photo (H, W) or (H, W, 3), uint8, uint16 or float32 in [0, 1], for the network.

        picture: rows and columns of the picture in its border; it is looked for unless given.

        Raises:
            ColorizeError: a hint lies outside the photo, or the network takes none.
        """
        given = hints_on(hints, *pixels.shape[:2])
        if given:
            self.check_takes_hints()
        return frame_photo(pixels, self.image_size, self.multiple, given, picture)

    def predict(self, frames: Sequence[Frame], vividness: float = 1.0) -> list[np.ndarray]:
        """Predict the chroma ab (h, w, 2) in CIE units of each frame, at its size; frames of one shape share a call."""
        return predict_frames(frames, lambda inputs: self.predict_ab(inputs, vividness))

    def predict_ab(self, inputs: Inputs, vividness: float = 1.0) -> np.ndarray:
        """Predict ab (B, h, w, 2) in CIE units from inputs (B, h, w, …) whose sides are multiples of `multiple`."""
        return self.network.predict_ab(inputs, vividness)

    def run_network(self, frames: Sequence[Frame]) -> Tensor:
        """Run the network alone on frames of one shape, all with hints or all without: the first half of `predict`.

        Returns:
            Its prediction (B, h', w', C), a tensor in the units of `space`, for `decode`.
        """
        return self.network.run(Inputs.stack([frame.inputs for frame in frames]))

    def decode(self, frames: Sequence[Frame], prediction: Tensor, vividness: float = 1.0) -> np.ndarray:
        """Decode what `run_network` returned for these frames into ab (B, h, w, 2): the second half of `predict`."""
        return self.network.decode(Inputs.stack([frame.inputs for frame in frames]), prediction, vividness)

    def predict_like(self, frame: Frame, reference: "ReferencePhoto", vividness: float = 1.0) -> np.ndarray:
        """Predict the chroma ab (h, w, 2) of a frame with the palette of a reference that this colorizer made."""
        from keras_colorize.inference.reference import colors_like

        return colors_like(self.distribution, frame, reference, vividness)

    def sampler(self, frame: Frame, count: int, seed: int = 0, vividness: float = 1.0) -> Callable[[int], np.ndarray]:
        """Return a function of a number, from 0 to below `count`, that returns the chroma (h, w, 2) of that sample.

        See `samples`. Versions are drawn together, when the first of them is asked for.
        """
        network = self.network.with_keras("several samples")
        if network.stochastic:
            inputs = Inputs.stack([frame.inputs])
            return lambda number: network.sample(inputs, number, seed, vividness)[0]

        @functools.cache
        def versions() -> list[np.ndarray]:
            from keras_colorize.inference.versions import draw_versions

            return draw_versions(network.distribution, frame, count - 1, seed, vividness)

        return lambda number: versions()[number - 1] if number else self.predict([frame], vividness)[0]

    def finish(self, pixels: np.ndarray, frame: Frame, ab: np.ndarray, edges: bool = True) -> np.ndarray:
        """Join the photo's own lightness with the frame's chroma, at the photo's size: see `finish_photo`."""
        return finish_photo(pixels, frame, ab, edges)

    @property
    def distribution(self) -> "DistributionNetwork":
        """The network with its distribution over quantized chroma, for a system in the space `binned_lab`."""
        return self.network.with_keras("distributions of colours").distribution
