"""The colorizer: a trained system that colorizes photos of any size."""

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

import keras
import numpy as np
from PIL.Image import Image

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.spaces import BinnedLabSpace, space_of
from keras_colorize.color.vividness import check_vividness
from keras_colorize.defaults import DEFAULT_MODEL
from keras_colorize.errors import ColorizeError
from keras_colorize.images import Picture
from keras_colorize.inference.distribution import DistributionNetwork
from keras_colorize.inference.finish import finish_photo, finish_photos
from keras_colorize.inference.frame import Frame, frame_photo
from keras_colorize.inference.hint_files import Hints, hints_of_each, hints_on
from keras_colorize.inference.network import (
    chroma_graphs,
    decoding_graphs,
    finite,
    over_size,
    predict_frames,
    prediction_graphs,
    side_multiple,
)
from keras_colorize.inference.photo_model import PhotoModel
from keras_colorize.inference.photos import Photo, PhotoLike, open_photo, open_photos
from keras_colorize.inference.reference import ReferencePhoto, colors_like, make_reference
from keras_colorize.inference.session import SCREEN_SIDE, Session
from keras_colorize.inference.suggestions import Suggestion, suggest_colors
from keras_colorize.inference.versions import draw_versions
from keras_colorize.models.layers import StochasticDropout, keep_dropout_on
from keras_colorize.models.networks import build_generator
from keras_colorize.models.weights import load_packaged, load_weights_file, save_weights
from keras_colorize.recipes import ModelCard, Recipe
from keras_colorize.runs.card import card_text
from keras_colorize.runs.folder import RunFolder, file_sha256, find_model
from keras_colorize.runs.generator import load_generator
from keras_colorize.tensor import Tensor

if TYPE_CHECKING:
    from keras_colorize.video.frames import FilmFrame


class Colorizer:
    """A generator with its recipe, ready for photos.

    `from_zoo`, `from_run` and `from_file` make one. It may be used from several threads at once.

    Args:
        generator: float32, with trained weights, for squares of the recipe's `data.image_size`.
        recipe: of its training.

    Attributes:
        generator: as given; dropout is off in it.
        recipe: as given.
        space: the units in which the network sees and predicts.
        image_size: side in pixels at which the network was trained and works.
        name: of the recipe.
        multiple: both sides of the network's input must be multiples of it; None where it takes squares of `image_size`
            only.
    """

    def __init__(self, generator: keras.Model, recipe: Recipe) -> None:
        self.generator = generator
        self.recipe = recipe
        self.space = space_of(recipe)
        self.image_size = recipe.data.image_size
        self.name = recipe.name or generator.name
        self.multiple = side_multiple(generator, self.image_size)
        self._predict = self._compile(generator)
        self._sampling = threading.Lock()

    @classmethod
    def from_zoo(cls, name: str = DEFAULT_MODEL) -> "Colorizer":
        """Load a system of the zoo with the weights that the package has for it.

        Args:
            name: of the system; or a folder that `save` wrote, or of a run.

        Raises:
            ColorizeError: no such system or folder, or it comes without weights.
        """
        found = find_model(name)
        if isinstance(found, RunFolder):
            return cls.from_run(found.path)
        recipe = Recipe.load(name).with_values(backbone_weights="random")
        generator = build_generator(recipe)
        load_packaged(name, generator)
        return cls(generator, recipe)

    @classmethod
    def from_run(cls, folder: str | Path) -> "Colorizer":
        """Load the generator that a run has trained.

        Args:
            folder: of the run; or one that `save` wrote, whose checksum is then checked.

        Raises:
            ColorizeError: no run folder, no weights in it yet, or damaged weights.
        """
        run = RunFolder.open(folder)
        recipe = run.recipe()
        return cls(load_generator(run, replace(recipe, stochastic=False)), recipe)

    @classmethod
    def from_file(cls, weights: str | Path, recipe: str | Path | Recipe | None = None) -> "Colorizer":
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
        # A backbone's weights are in the file too: nothing needs to be fetched for them to be overwritten.
        recipe = recipe.with_values(backbone_weights="random")
        generator = build_generator(recipe)
        load_weights_file(generator, file)
        return cls(generator, recipe)

    @classmethod
    def load(cls, folder: str | Path) -> "Colorizer":
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
        run = RunFolder.make_empty(folder)
        save_weights(self.generator, run.generator_weights)
        parameters = self.generator.count_params()
        text = card_text(self.recipe, parameters) if card is None else card
        run.card_file.write_text(text, encoding="utf-8")
        run.keep_recipe(self.recipe, ModelCard(parameters, sha256=file_sha256(run.generator_weights)))
        return run.path

    def to_keras(self, vividness: float = 1.0) -> PhotoModel:
        """Return the whole system as one Keras model: photos in, the same photos in colour out.

        The model takes (B, H, W, 1 or 3), uint8 or floats in [0, 1]. It saves as `.keras`, and
        `keras.models.load_model` loads it after `import keras_colorize`. It has a copy of the weights, which are
        frozen.

        Args:
            vividness: built in, 0 to 10; 1 is the system's own.

        Raises:
            ColorizeError: `vividness` is out of range.
        """
        generator = keras.models.clone_model(self.generator)
        generator.set_weights(self.generator.get_weights())
        return PhotoModel(generator, self.recipe, vividness)

    @property
    def stochastic(self) -> bool:
        """Tell whether the network has dropout, so that `samples` can differ."""
        return any(isinstance(layer, keras.layers.Dropout) and layer.rate > 0 for layer in self.generator.layers)

    @overload
    def __call__(
        self,
        image: Photo,
        *,
        vividness: float = ...,
        edges: bool = ...,
        hints: Hints | Sequence[Hints] = ...,
        reference: PhotoLike | ReferencePhoto | None = ...,
    ) -> Photo: ...
    @overload
    def __call__(
        self,
        image: str | os.PathLike[str],
        *,
        vividness: float = ...,
        edges: bool = ...,
        hints: Hints | Sequence[Hints] = ...,
        reference: PhotoLike | ReferencePhoto | None = ...,
    ) -> np.ndarray: ...
    def __call__(
        self,
        image: PhotoLike,
        *,
        vividness: float = 1.0,
        edges: bool = True,
        hints: Hints | Sequence[Hints] = (),
        reference: PhotoLike | ReferencePhoto | None = None,
    ) -> np.ndarray | Image | Picture:
        """Colorize a photo at its own size, or a batch of photos of one size. Of its colours only lightness is used.

        Args:
            image: a path; a Pillow image; a `Picture`; or an array (H, W), (H, W, 1) or (H, W, 3), or of several photos
                (N, H, W), (N, H, W, 1) or (N, H, W, 3), of uint8, uint16, or floats in [0, 1].
            vividness: 1 is the system's own, 0 grey, above 1 stronger; up to 10.
            edges: let chroma follow the photo's edges; otherwise it is enlarged bilinearly.
            hints: colours at places of the photo, for a network that takes them: a list of `Hint`, or what `read_hints`
                read. For a batch one list serves all photos, and a list of lists has one for each.
            reference: a photo in colour whose palette the photo takes on: one photo as `image`, or what `reference`
                made of it. A person's hints win over it.

        Returns:
            For an array rgb (H, W, 3) or (N, H, W, 3) of its type; for a path rgb (H, W, 3), upright, of the first page
            of a file with pages; for a Pillow image one, "RGB" or with transparency "RGBA"; for a `Picture` a
            `Picture`.

        Raises:
            ColorizeError: the photo is of another kind, shape or type, is empty, holds NaN, or floats outside [0, 1];
                `vividness` is out of range; a hint lies outside the photo; the network takes no hints; the reference
                is grey; or the network predicts no distribution of colours, which a reference needs.
        """
        check_vividness(vividness)
        if reference is not None and not isinstance(reference, ReferencePhoto):
            reference = self.reference(reference)
        photos = open_photos(image)
        return photos.result(self._colorize(photos.pixels, vividness, edges, hints, reference))

    def colorize_pictures(
        self,
        pictures: Sequence[Picture],
        *,
        vividness: float = 1.0,
        edges: bool = True,
        hints: Hints | Sequence[Hints] = (),
    ) -> list[Picture]:
        """Colorize several photos, those of one shape in one call of the network; transparency and metadata stay.

        Args:
            pictures: the photos.
            vividness, edges, hints: as in a call.

        Raises:
            ColorizeError: `vividness` is out of range, a hint lies outside its photo, or the network takes none.
        """
        check_vividness(vividness)
        colored = self._colorize([picture.pixels for picture in pictures], vividness, edges, hints)
        return [replace(picture, pixels=rgb) for picture, rgb in zip(pictures, colored, strict=True)]

    @property
    def draws_versions(self) -> bool:
        """Tell whether `samples` can differ by colours drawn from the distribution that the network predicts."""
        return isinstance(self.space, BinnedLabSpace) and self.space.takes_hints

    @overload
    def samples(
        self,
        image: Photo,
        count: int,
        *,
        seed: int = ...,
        vividness: float = ...,
        edges: bool = ...,
        hints: Hints = ...,
    ) -> Iterator[Photo]: ...
    @overload
    def samples(
        self,
        image: str | os.PathLike[str],
        count: int,
        *,
        seed: int = ...,
        vividness: float = ...,
        edges: bool = ...,
        hints: Hints = ...,
    ) -> Iterator[np.ndarray]: ...
    def samples(
        self,
        image: PhotoLike,
        count: int,
        *,
        seed: int = 0,
        vividness: float = 1.0,
        edges: bool = True,
        hints: Hints = (),
    ) -> Iterator[np.ndarray | Image | Picture]:
        """Yield different colorizations of one photo.

        A network with dropout draws them by dropout that stays on (Isola et al. 2017, section 3.2). One that predicts a
        distribution and takes hints gives its plain answer first, and then versions drawn from the distribution
        (`inference.versions`), the most likely first.

        Args:
            image: one photo, as in a call.
            vividness, edges: as in a call.
            count: how many, at least 1.
            seed: at least 0; it decides all samples. With dropout, sample n of a seed is the same whatever the count.
            hints: colours at places of the photo, which all samples keep.

        Yields:
            What a call returns, `count` times.

        Raises:
            ColorizeError: the network has only one answer, several photos came, or as in a call; before the first
                sample.
        """
        check_vividness(vividness)
        if count < 1 or seed < 0:
            raise ColorizeError(f"{count} samples of seed {seed}: expected at least 1 sample and a seed of 0 or more")
        self.check_samples()
        photos = open_photo(image)
        pixels = photos.pixels[0]
        frame = self.frame(pixels, hints)
        sample = self.sampler(frame, count, seed, vividness)
        return (photos.result([self.finish(pixels, frame, sample(number), edges)]) for number in range(count))

    def film(
        self,
        path: str | Path,
        *,
        vividness: float = 1.0,
        edges: bool = True,
        steady: bool = True,
        hints: Hints = (),
        reference: PhotoLike | ReferencePhoto | None = None,
        fps: float | None = None,
    ) -> "Iterator[FilmFrame]":
        """Yield the frames of a film in colour, in steady colours that follow the motion; a few are in memory.

            for frame in colorizer.film("old.mp4"):
                show(frame.pixels, frame.time)

        `colorize_film` writes a film with its sound, and goes on after a crash. It needs the extra `video`.

        Args:
            path: a file, or a folder of numbered frames.
            vividness, edges: as in a call.
            steady: otherwise each frame is coloured on its own, and flickers.
            hints: colours at places of frames, `TimedHint`s, for a network that takes them; each is carried through its
                shot.
            reference: a photo in colour whose palette the film takes on, as in a call.
            fps: frames per second of a folder of frames, 24 by default.

        Yields:
            frames with `number`, `time` in seconds, and `pixels`, rgb (H, W, 3), upright.

        Raises:
            ColorizeError: there is no such film, it does not decode, or a value is out of range.
        """
        from keras_colorize.video.settings import FilmSettings, check_installed

        check_installed()
        from keras_colorize.video.pipeline import film_frames

        settings = FilmSettings(
            vividness=vividness, edges=edges, steady=steady, hints=hints, reference=reference, fps=fps
        )
        return film_frames(self, path, settings)

    def reference(self, image: PhotoLike) -> ReferencePhoto:
        """Look at a photo in colour once, so that many photos can take on its palette.

        Args:
            image: one photo, as in a call.

        Raises:
            ColorizeError: the network predicts no distribution of colours, the photo is grey, several photos came, or
                as in a call.
        """
        self.check_takes_reference()
        pixels = open_photo(image).pixels[0]
        return make_reference(self.distribution, pixels, self.frame(pixels))

    def check_takes_reference(self) -> None:
        """Refuse a reference for a network that predicts no distribution of colours.

        Raises:
            ColorizeError: it predicts none.
        """
        if not isinstance(self.space, BinnedLabSpace):
            raise ColorizeError(
                f"'{self.name}' predicts no distribution of colours, so it takes no reference: use a model that does,"
                f" such as {DEFAULT_MODEL}, or leave the reference out"
            )

    @overload
    def session(self, photo: Photo, *, side: int = ...) -> Session[Photo]: ...
    @overload
    def session(self, photo: str | os.PathLike[str], *, side: int = ...) -> Session[np.ndarray]: ...
    def session(self, photo: PhotoLike, *, side: int = SCREEN_SIDE) -> Session:
        """Open a photo for edits: quick previews while hints and vividness change, and the result at full size.

        Args:
            photo: one photo, as in a call.
            side: the longest side of previews in pixels.

        Raises:
            ColorizeError: `side` is below 1, several photos came, or as in a call.
        """
        return Session(self, open_photo(photo), side)

    def suggest(self, photo: PhotoLike, x: float, y: float, count: int = 6, *, hints: Hints = ()) -> list[Suggestion]:
        """Suggest the most likely different colours at a place of a photo, in falling order of their probability.

        Colours lie at least 20 CIE units of ab apart and in the gamut at the lightness of the place. There are fewer of
        them where fewer can be shown or are likely, and none in a plain border of the photo, which stays neutral.

        Args:
            photo: one photo, as in a call.
            x, y: the place, in pixels of the photo.
            count: the most that are wanted.
            hints: colours that are given already, which the network takes into account.

        Raises:
            ColorizeError: the network predicts no distribution over classes of chroma, the place lies outside the
                photo, the count is below 1, several photos came, or as in a call.
        """
        frame = self.frame(open_photo(photo).pixels[0], hints)
        return suggest_colors(self.space, frame, self.run_network([frame]), x, y, count)

    def check_samples(self) -> None:
        """Refuse several samples of a network that has one answer for each photo.

        Raises:
            ColorizeError: it has.
        """
        if not (self.stochastic or self.draws_versions):
            raise ColorizeError(
                f"'{self.name}' has no dropout, and no distribution of colours together with hints, so all its samples"
                " would be the same: use one sample, or another model such as pix2pix"
            )

    def check_takes_hints(self) -> None:
        """Refuse hints for a network that takes none.

        Raises:
            ColorizeError: it takes none.
        """
        if not self.space.takes_hints:
            raise ColorizeError(f"'{self.name}' takes no hints: use a model that does, or leave them out")

    def _colorize(
        self,
        photos: list[np.ndarray],
        vividness: float,
        edges: bool,
        hints: Hints | Sequence[Hints],
        reference: ReferencePhoto | None = None,
    ) -> list[np.ndarray]:
        each = hints_of_each(hints, len(photos))
        frames = [self.frame(pixels, given) for pixels, given in zip(photos, each, strict=True)]
        if reference is None:
            chromas = self.predict(frames, vividness)
        else:
            chromas = [self.predict_like(frame, reference, vividness) for frame in frames]
        return finish_photos(photos, frames, chromas, edges)

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
        return finite(self._predict(inputs, vividness))

    def run_network(self, frames: Sequence[Frame]) -> Tensor:
        """Run the network alone on frames of one shape, all with hints or all without: the first half of `predict`.

        Returns:
            Its prediction (B, h', w', C), a tensor in the units of `space`, for `decode`.
        """
        return self._halves[0](Inputs.stack([frame.inputs for frame in frames]))

    def decode(self, frames: Sequence[Frame], prediction: Tensor, vividness: float = 1.0) -> np.ndarray:
        """Decode what `run_network` returned for these frames into ab (B, h, w, 2): the second half of `predict`."""
        return finite(self._halves[1](Inputs.stack([frame.inputs for frame in frames]), prediction, vividness))

    def predict_like(self, frame: Frame, reference: ReferencePhoto, vividness: float = 1.0) -> np.ndarray:
        """Predict the chroma ab (h, w, 2) of a frame with the palette of a reference that this colorizer made."""
        return colors_like(self.distribution, frame, reference, vividness)

    def sampler(self, frame: Frame, count: int, seed: int = 0, vividness: float = 1.0) -> Callable[[int], np.ndarray]:
        """Return a function of a number, from 0 to below `count`, that returns the chroma (h, w, 2) of that sample.

        See `samples`. Versions are drawn together, when the first of them is asked for.
        """
        if self.stochastic:
            return functools.partial(self._sample_dropout, frame, seed=seed, vividness=vividness)

        @functools.cache
        def versions() -> list[np.ndarray]:
            return draw_versions(self.distribution, frame, count - 1, seed, vividness)

        return lambda number: versions()[number - 1] if number else self.predict([frame], vividness)[0]

    def _sample_dropout(self, frame: Frame, number: int, seed: int, vividness: float) -> np.ndarray:
        network, predict = self._sampler
        with self._sampling:  # the generators of dropout's noise are variables
            dropouts = [layer for layer in network.layers if isinstance(layer, StochasticDropout)]
            states = np.random.SeedSequence([seed, number]).generate_state(2 * len(dropouts)).reshape(-1, 2)
            for layer, state in zip(dropouts, states, strict=True):
                layer.seed_generator.state.assign(state)
            return finite(predict(Inputs.stack([frame.inputs]), vividness))[0]

    def finish(self, pixels: np.ndarray, frame: Frame, ab: np.ndarray, edges: bool = True) -> np.ndarray:
        """Join the photo's own lightness with the frame's chroma, at the photo's size: see `finish_photo`."""
        return finish_photo(pixels, frame, ab, edges)

    @property
    def distribution(self) -> DistributionNetwork:
        """The network with its distribution over quantized chroma, for a system in the space `binned_lab`."""
        with self._sampling:  # several threads may ask for it at once
            return self._distribution

    @functools.cached_property
    def _distribution(self) -> DistributionNetwork:
        assert isinstance(self.space, BinnedLabSpace)
        return DistributionNetwork(self.generator, self.space, self.multiple is not None)

    @functools.cached_property
    def _sampler(self) -> tuple[keras.Model, Callable[[Inputs, float], Tensor]]:
        network = keep_dropout_on(self.generator)
        return network, self._compile(network)

    @functools.cached_property
    def _halves(self) -> tuple[Callable[[Inputs], Tensor], Callable[[Inputs, Tensor, float], Tensor]]:
        return prediction_graphs(self._sized(self.generator), self.space), decoding_graphs(self.space)

    def _compile(self, network: keras.Model) -> Callable[[Inputs, float], Tensor]:
        return chroma_graphs(self._sized(network), self.space)

    def _sized(self, network: keras.Model) -> keras.Model:
        """Put the network over inputs of any size that it takes."""
        return network if self.multiple is None else over_size(network, None, None)


@overload
def colorize(
    image: Photo,
    *,
    vividness: float = ...,
    edges: bool = ...,
    hints: Hints | Sequence[Hints] = ...,
    reference: PhotoLike | ReferencePhoto | None = ...,
) -> Photo: ...
@overload
def colorize(
    image: str | os.PathLike[str],
    *,
    vividness: float = ...,
    edges: bool = ...,
    hints: Hints | Sequence[Hints] = ...,
    reference: PhotoLike | ReferencePhoto | None = ...,
) -> np.ndarray: ...
def colorize(
    image: PhotoLike,
    *,
    vividness: float = 1.0,
    edges: bool = True,
    hints: Hints | Sequence[Hints] = (),
    reference: PhotoLike | ReferencePhoto | None = None,
) -> np.ndarray | Image | Picture:
    """Colorize one photo with the packaged default system, `vivid`: see `Colorizer.__call__`."""
    return _default()(image, vividness=vividness, edges=edges, hints=hints, reference=reference)


@functools.cache
def _default() -> Colorizer:
    return Colorizer.from_zoo(DEFAULT_MODEL)
