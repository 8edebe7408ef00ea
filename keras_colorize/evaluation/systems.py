"""Systems to measure: trained runs, and zoo systems with packaged weights, each coloured as a user's photo is."""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from keras import ops

from keras_colorize.color.inputs import Inputs
from keras_colorize.color.lab import rgb_from_u8, rgb_to_lab, rgb_to_u8
from keras_colorize.hardware import processors
from keras_colorize.inference.colorizer import Colorizer
from keras_colorize.inference.finish import finish_photos
from keras_colorize.inference.frame import Frame, frame_photo
from keras_colorize.inference.hints import Hint
from keras_colorize.recipes import Recipe
from keras_colorize.runs.folder import RunFolder
from keras_colorize.tensor import Tensor


class FramedBatch:
    """Photos of one size with the frames that networks see of them.

    Args:
        rgb_u8: `(B, S, S, 3)`.
        hints: of each photo, for systems that take them; none by default.
    """

    def __init__(self, rgb_u8: np.ndarray, hints: Sequence[Sequence[Hint]] | None = None) -> None:
        self.rgb_u8 = rgb_u8
        self.hints = hints or [()] * len(rgb_u8)
        self._frames: dict[tuple[int, int | None], list[Frame]] = {}

    def frames_for(self, colorizer: Colorizer) -> list[Frame]:
        """Return a frame for each photo. Systems whose networks take the same frames share them."""
        kind = colorizer.image_size, colorizer.multiple
        if kind not in self._frames:
            self._frames[kind] = [
                frame_photo(photo, *kind, hints) for photo, hints in zip(self.rgb_u8, self.hints, strict=True)
            ]
        return self._frames[kind]


class System:
    """A trained system under the name of its row.

    Args:
        name: unique in an evaluation.
        colorizer: with which a user would colour photos.
        run: the folder of its run; None for packaged weights.
    """

    def __init__(self, name: str, colorizer: Colorizer, run: RunFolder | None = None) -> None:
        self.name = name
        self.colorizer = colorizer
        self.run = run

    @property
    def recipe(self) -> Recipe:
        """The recipe that the system was trained with."""
        return self.colorizer.recipe

    @property
    def image_size(self) -> int:
        """Side in pixels at which the network works."""
        return self.colorizer.image_size

    @property
    def paints_lightness(self) -> bool:
        """Tell whether the network predicts whole pictures, lightness included."""
        return self.colorizer.space.predicts_lightness

    def colorize(self, photos: FramedBatch) -> np.ndarray:
        """Colour photos exactly as the `Colorizer` does when it is called with each of them.

        The network sees one photo at a time: the last bits of its answer depend on how many it sees together.

        Returns:
            rgb_u8 `(B, S, S, 3)`, bit for bit what a user gets.
        """
        frames, chromas = self.predict(photos)
        return np.stack(finish_photos(list(photos.rgb_u8), frames, chromas))

    def predict(self, photos: FramedBatch) -> tuple[list[Frame], list[np.ndarray]]:
        """Return the photos' frames, and the chroma (h, w, 2) in CIE units that the network predicts for each."""
        frames = photos.frames_for(self.colorizer)
        with ThreadPoolExecutor(processors()) as threads:
            return frames, list(threads.map(lambda frame: self.colorizer.predict([frame])[0], frames))

    def paint(self, photos: FramedBatch) -> np.ndarray:
        """Return the pictures exactly as the network paints them, lightness included.

        The network sees the whole photos, without hints. Where they are not of its own size, they are resized to it and
        its pictures back, bilinearly.

        Returns:
            rgb_u8 `(B, S, S, 3)`.
        """
        return np.asarray(self._painter(photos.rgb_u8))

    def digest(self) -> str:
        """Return the first 16 digits of SHA-256 over the generator's weights: equal digests predict the same."""
        sha = hashlib.sha256()
        for weight in self.colorizer.generator.weights:
            sha.update(np.ascontiguousarray(ops.convert_to_numpy(weight)).tobytes())
        return sha.hexdigest()[:16]

    @functools.cached_property
    def _painter(self) -> Callable[[Tensor], Tensor]:
        generator, space, own = self.colorizer.generator, self.colorizer.space, self.image_size

        @tf.function(autograph=False, reduce_retracing=True)
        def paint(rgb_u8: Tensor) -> Tensor:
            L = rgb_to_lab(rgb_from_u8(rgb_u8))[..., :1]
            inputs = Inputs(_resized(L, own))
            painted = space.merge(inputs, generator(space.condition(inputs), training=False))
            return rgb_to_u8(_resized(painted, rgb_u8.shape[1]))

        return paint


def load_systems(found: Sequence[RunFolder | str]) -> list[System]:
    """Load runs, and zoo systems by name. A run that shares its name with another is named with its folder.

    Raises:
        ColorizeError: a run has no weights, or the zoo packages none of that name.
    """
    colorizers = [
        Colorizer.from_run(what.path) if isinstance(what, RunFolder) else Colorizer.from_zoo(what) for what in found
    ]
    names = Counter(colorizer.name for colorizer in colorizers)
    systems = []
    for what, colorizer in zip(found, colorizers, strict=True):
        run = what if isinstance(what, RunFolder) else None
        where = f" {run.path.name if run else 'packaged'}" if names[colorizer.name] > 1 else ""
        systems.append(System(colorizer.name + where, colorizer, run))
    return systems


def _resized(images: Tensor, size: int) -> Tensor:
    if images.shape[1] == size:
        return images
    return ops.image.resize(images, (size, size), interpolation="bilinear", antialias=True, data_format="channels_last")
